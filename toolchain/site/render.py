"""Renders the site: the runtime, the model, the contract, the photos and the page.

Every file but `index.html` and `sw.js` bears its content's hash in its name, so a host may
tell browsers to keep all of them for ever, and a page never meets another build's files.
`sw.js` is the service worker, which keeps them for a second visit without network.
"""

from __future__ import annotations

import shutil
from itertools import chain
from typing import TYPE_CHECKING, Any

from toolchain import __version__, digest
from toolchain.errors import BadInputError
from toolchain.site import contract as contracts
from toolchain.site import parts, strings
from toolchain.site.variants import VARIANTS, described
from toolchain.tfjs.artifacts import HASH_DIGITS, name_after_content

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolchain.site.variants import Variant
    from toolchain.tfjs.stage import TfjsModel


def render(
    model: TfjsModel,
    site: Path,
    *,
    variants: Sequence[Variant] = (),
    preview: TfjsModel | None = None,
    title: str | None = None,
    language: str = strings.ENGLISH,
    notice: str | None = None,
) -> None:
    """Write the whole site into an existing empty folder.

    Args:
        model: The converted model.
        site: Where to write.
        variants: All the ways in which the model's weights are stored, `model` the first of
            them; none where there is one way only.
        preview: The model that answers a first visit until the other one is there, if any.
        title: Heading of the page; by default it names the model.
        language: Tag of the language that the page speaks.
        notice: A sentence the visitor should read, if any.

    Raises:
        BadInputError: The template has a fault; its place is named. Or a graph has an
            operation that TF.js has not, or there are no texts in the language.
        MissingToolError: The page's runtime is not built.
    """
    models = [model, *(each.model for each in variants[1:]), *([preview] if preview else ())]
    runtime = parts.runtime_for(chain(*(each.converted.artifacts.ops for each in models)))
    for file in runtime.files:
        _copy(parts.runtime_dir() / file, site / file)
    name = model.converted.card.provenance.name
    texts = strings.load(language)
    own = _model(model, site, "model", "contract.bin")
    others = [
        _model(each.model, site, f"{VARIANTS}/{each.name}", f"{VARIANTS}/{each.name}/contract.bin")
        for each in variants[1:]
    ]
    context = {
        "title": title or strings.filled(texts.page["title"], name=name),
        "description": strings.filled(texts.page["description"], name=name),
        "language": texts.language,
        "text": texts.page,
        "script_text": texts.script,
        **own,
        "variants": [
            described(variant, files)
            for variant, files in zip(variants, [own, *others], strict=False)
        ],
        "preview": (_model(preview, site, "preview", "preview/contract.bin") if preview else None),
        "runtime": runtime,
        "samples": _samples(site),
        "notice": notice,
        "toolchain_version": __version__,
    }
    html = rendered("index.html.j2", context)
    (site / "index.html").write_text(html, "utf-8")
    context["version"] = digest.of_bytes(html.encode())[:HASH_DIGITS]
    context["later_html"] = (
        rendered("index.html.j2", context | {"preview": None}) if preview else None
    )
    (site / "sw.js").write_text(rendered("sw.js.j2", context), "utf-8")


def _model(model: TfjsModel, site: Path, folder: str, contract: str) -> dict[str, Any]:
    """Write a model's files into the site, and return what the template says of it."""
    artifacts = model.converted.artifacts
    for file in (artifacts.model_json, *artifacts.shards):
        _copy(model.folder / file, site / folder / file)
    content = contracts.make(model, f"{folder}/{artifacts.model_json}").to_bytes()
    return {
        "card": model.converted.card,
        "quantization": model.converted.quantization,
        "contract": _write_named(site, contract, content),
        "weight_urls": [f"{folder}/{shard}" for shard in artifacts.shards],
        "weight_bytes": artifacts.weight_bytes,
    }


def rendered(template: str, context: dict[str, object]) -> str:
    """Fill in a template of `templates/`; what is put in is escaped.

    Raises:
        BadInputError: The template has a fault; its place is named.
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(parts.templates_dir()),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["filled"] = strings.filled
    try:
        return environment.get_template(template).render(context)
    except jinja2.TemplateSyntaxError as error:
        raise BadInputError(
            f"{error.filename}, line {error.lineno}: {error.message}; mend the template"
        ) from error
    except Exception as error:
        # A template computes, so it raises whatever Python does.
        raise BadInputError(f"the page's template cannot be rendered: {error}") from error


def _samples(site: Path) -> list[dict[str, object]]:
    from PIL import Image

    folder = parts.templates_dir() / "samples"
    shown: list[dict[str, object]] = []
    for sample in parts.load_samples(folder):
        content = (folder / sample.file).read_bytes()
        with Image.open(folder / sample.file) as image:
            width, height = image.size
        url = _write_named(site, f"samples/{sample.file}", content)
        shown.append({**sample.model_dump(), "url": url, "width": width, "height": height})
    return shown


def _write_named(site: Path, path: str, content: bytes) -> str:
    """Write a file under its content's name and return its URL relative to the page."""
    target = site / path
    target = target.with_name(name_after_content(target.name, content))
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return target.relative_to(site).as_posix()


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
