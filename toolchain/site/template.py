"""Fills in templates: toolchain's own, and a user's that extends or replaces the page's."""

from __future__ import annotations

import traceback
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError, ToolchainError
from toolchain.site import required, strings, web_bundle
from toolchain.site.assets import AssetError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import jinja2

    from toolchain.site.assets import Assets

PAGE = "index.html.j2"
OWN = "toolchain"
"""Prefix of toolchain's own templates in a user's template: `toolchain/index.html.j2`."""


class TemplateError(ToolchainError):
    """A user's template has a fault, or makes a page that the page's code cannot work with."""


def rendered(template: str, context: Mapping[str, object]) -> str:
    """Fill in a template of `templates/`; values are escaped.

    Raises:
        BadInputError: The template has a fault; the message names the place.
    """
    import jinja2

    environment = _own_environment(web_bundle.templates_dir())
    try:
        return environment.get_template(template).render(context)
    except jinja2.TemplateSyntaxError as error:
        raise BadInputError(
            f"{error.filename}, line {error.lineno}: {error.message}; fix the template"
        ) from error
    except Exception as error:
        # A template runs code, so it may raise any exception.
        raise BadInputError(f"the page's template cannot be rendered: {error}") from error


def rendered_page(folder: Path, context: Mapping[str, object], assets: Assets, script: str) -> str:
    """Fill in the page's template of a user's folder.

    Args:
        folder: The user's folder, see :func:`check`.
        context: The variables of `templates/index.html.j2`.
        assets: The files for the template's function `asset`.
        script: Address of the page's code.

    Raises:
        TemplateError: The template has a fault, asks for a missing file, or makes a page
            without an element that the page's code needs.
    """
    environment = _environment(folder)
    environment.globals["asset"] = assets.url
    try:
        html = environment.get_template(PAGE).render(context)
    except Exception as error:
        raise _fault(error, folder) from error
    lacking = next(required.missing(html, script, teaching=bool(context["teach_text"])), None)
    if lacking is not None:
        raise TemplateError(
            f"{folder / PAGE} makes a page without {lacking}, which the page's code needs; keep "
            "this element of toolchain's own template, hidden if you like"
        )
    return html


def check(folder: Path) -> None:
    """Check early that a folder has a template for the page, and that its templates can be read.

    Raises:
        BadInputError: It is not a folder, or has no template for the page.
        TemplateError: A template cannot be read.
    """
    if not (folder / PAGE).is_file():
        what = f"has no {PAGE}" if folder.is_dir() else "is not a folder"
        raise BadInputError(
            f"the template {folder} {what}; put one there that begins with "
            f'{{% extends "{OWN}/{PAGE}" %}}'
        )
    environment = _environment(folder)
    for path in sorted(folder.rglob("*.j2")):
        name = path.relative_to(folder).as_posix()
        try:
            environment.get_template(name)
        except Exception as error:
            raise _fault(error, folder) from error


@cache
def _own_environment(folder: Path) -> jinja2.Environment:
    """Return the environment of toolchain's own templates, which keeps them compiled."""
    return _environment(folder)


def _environment(folder: Path) -> jinja2.Environment:
    """Return the environment of a folder's templates, which may name toolchain's own."""
    import jinja2

    own = jinja2.PrefixLoader({OWN: jinja2.FileSystemLoader(web_bundle.templates_dir())})
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader([own, jinja2.FileSystemLoader(folder)]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["filled"] = strings.filled
    return environment


def _fault(error: Exception, folder: Path) -> TemplateError:
    """Return the error with its place in the user's templates."""
    import jinja2

    place: Path | str
    if isinstance(error, jinja2.TemplateSyntaxError):
        place, line = error.filename or folder / PAGE, error.lineno
    else:
        # In Jinja's frames, file and line are those of templates.
        frames = [
            frame
            for frame in traceback.extract_tb(error.__traceback__)
            if Path(frame.filename).suffix == ".j2"
        ]
        inside = [frame for frame in frames if Path(frame.filename).is_relative_to(folder)]
        found = (inside or frames)[-1:]
        place, line = (found[0].filename, found[0].lineno or 1) if found else (folder / PAGE, 1)
    text = str(error.message if isinstance(error, jinja2.TemplateError) else error)
    if isinstance(error, jinja2.TemplateNotFound):
        text = f"there is no template {error.name}"
    text = " ".join(text.split()).removesuffix(".") or type(error).__name__
    # An AssetError already says what to do.
    way_out = "" if isinstance(error, AssetError) else "; fix the template"
    return TemplateError(f"{place}, line {line}: {text}{way_out}")
