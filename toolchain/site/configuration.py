"""The user's options for page and headers: `toolchain.toml`, and the flags that override it.

```toml
[page]
title = "Which mushroom?"
accent = "#b3261e"
samples = "photos"     # a folder with samples.toml, beside this file
template = "page"      # a folder with index.html.j2

[headers]
cors = ["https://app.example.org"]

[teach]
enabled = true         # visitors may teach their own tags
```
"""

from __future__ import annotations

import difflib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    WithJsonSchema,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, SkipJsonSchema

from toolchain import toml
from toolchain.errors import BadInputError
from toolchain.site import accent as accents
from toolchain.site import web_bundle
from toolchain.site.origins import Origins

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import core_schema
    from typing_extensions import Self

FILE = "toolchain.toml"

# RFC 5646, section 2.1, without the grandfathered tags.
_LANGUAGE_TAG = (
    r"^(?:[A-Za-z]{2,3}(?:-[A-Za-z]{3}){0,3}|[A-Za-z]{4,8})"
    r"(?:-[A-Za-z]{4})?(?:-(?:[A-Za-z]{2}|[0-9]{3}))?"
    r"(?:-(?:[A-Za-z0-9]{5,8}|[0-9][A-Za-z0-9]{3}))*"
    r"(?:-[A-WYZa-wyz0-9](?:-[A-Za-z0-9]{2,8})+)*(?:-[Xx](?:-[A-Za-z0-9]{1,8})+)?$"
)


def _text(value: object) -> str:
    if isinstance(value, str):
        if text := value.strip():
            return text
        raise ValueError("it is empty; write a text, or leave it out")
    raise ValueError(f"{_as_toml(value)} is not a text; write it in quotes")


def _language(tag: str) -> str:
    if not re.match(_LANGUAGE_TAG, tag):
        raise ValueError(f"{tag!r} is not a language tag; write it like de or pt-BR")
    return tag


def _colour(text: str) -> str:
    accents.parse(text)
    return text


def _samples(value: object) -> object:
    if value is False or value == []:
        return False
    if isinstance(value, Path) or (isinstance(value, str) and value.strip()):
        return Path(value)
    raise ValueError(
        f"{_as_toml(value)} is not a folder; write its name in quotes, or false for none"
    )


def _as_toml(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


_Text = Annotated[str, BeforeValidator(_text), WithJsonSchema({"type": "string", "pattern": "\\S"})]
_Colour = Annotated[
    _Text, AfterValidator(_colour), WithJsonSchema({"type": "string", "format": "color"})
]


class PageOptions(BaseModel):
    """The options for the page; those left out have defaults."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    title: _Text | None = None
    """Heading of the page, and its name in tabs and bookmarks. By default it names the model."""
    description: _Text | None = None
    """One sentence under the heading, which search engines show too."""
    language: Annotated[
        _Text,
        AfterValidator(_language),
        WithJsonSchema({"type": "string", "pattern": _LANGUAGE_TAG}),
    ] = "en"
    """Tag of the page's language, such as de or pt-BR."""
    accent: _Colour | None = None
    """Colour of buttons, links and bars, as in CSS: #b3261e, crimson, rgb(179, 38, 30).
    If it is hard to read, the page uses a darker or a lighter one of the same hue."""
    accent_dark: _Colour | None = None
    """The accent for the dark theme. By default it is made from accent."""
    samples: Annotated[
        Path | Literal[False] | None,
        BeforeValidator(_samples),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "string", "pattern": "\\S"},
                    {"const": False},
                    {"type": "array", "maxItems": 0},
                ]
            }
        ),
    ] = None
    """Folder with samples.toml and the sample photos that it names, relative to this file;
    false for a page without sample photos. By default toolchain's own photos."""
    template: Annotated[
        Path | None,
        BeforeValidator(lambda value: value if isinstance(value, Path) else _text(value)),
        WithJsonSchema({"type": "string", "pattern": "\\S"}),
    ] = None
    """Folder with index.html.j2, which extends or replaces the page's template, and the files
    that it names; relative to this file."""

    photos_by_address: bool = True
    """Whether visitors may enter the address of a photo, which the page then fetches.
    With false there is no such field, and the page's policy allows requests to its own host
    only."""

    teach: SkipJsonSchema[bool] = False
    """Whether visitors may teach their own tags; it is `enabled` of the table `[teach]`."""

    @model_validator(mode="after")
    def _dark_of_what(self) -> Self:
        if self.accent_dark and not self.accent:
            raise ValueError("accent_dark needs accent as well; add accent, or remove accent_dark")
        return self

    @property
    def colours(self) -> accents.Accent | None:
        """The accent for both themes."""
        if self.accent is None:
            return None
        dark = accents.parse(self.accent_dark) if self.accent_dark else None
        return accents.Accent(accents.parse(self.accent), dark)

    @property
    def samples_folder(self) -> Path | None:
        """Folder of the sample photos; None for a page without any."""
        if self.samples is None:
            return web_bundle.templates_dir() / "samples"
        return self.samples or None


class _Teach(BaseModel):
    """The tags that visitors teach."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    enabled: bool = False
    """Whether the page has a panel in which visitors teach their own tags with a few photos.
    What they teach stays on their machine."""


class _File(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)

    page: PageOptions = Field(default_factory=PageOptions)
    """The page of a built site."""
    headers: Origins = Field(default_factory=Origins)
    """Which other sites may use the site."""
    teach: _Teach = Field(default_factory=_Teach)
    """The tags that visitors teach."""


def settle(path: Path | None, flags: Mapping[str, object]) -> PageOptions:
    """Merge the options of the file and the flags; flags override the file.

    Args:
        path: The file; None for `toolchain.toml` of the current folder, if there is one.
        flags: Fields of :class:`PageOptions`; None for those not given.

    Raises:
        BadInputError: The file or a flag cannot be used, or names something that does not exist.
    """
    path = _found(path)
    said = {} if path is None else read(path).model_dump(exclude_unset=True)
    given = {name: value for name, value in flags.items() if value is not None}
    if "accent" in given:
        # The file's accent_dark belongs to the file's accent, which the flag overrides.
        said.pop("accent_dark", None)
    try:
        return PageOptions(**{**said, **given})
    except ValidationError as error:
        raise BadInputError(f"--{_fault(error)}") from error


def settle_origins(path: Path | None, flags: Mapping[str, object]) -> Origins:
    """Merge the table `[headers]` of the file and the flags; flags override the file.

    Args:
        path: As for :func:`settle`.
        flags: Fields of :class:`Origins`; None for those not given.

    Raises:
        BadInputError: The file or a flag cannot be used.
    """
    path = _found(path)
    said = {} if path is None else _read(path).headers.model_dump()
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Origins(**{**said, **given})
    except ValidationError as error:
        fault = _fault(error).replace("frame_ancestors", "frame-ancestors", 1)
        raise BadInputError(f"--{fault}") from error


def _found(path: Path | None) -> Path | None:
    return Path(FILE) if path is None and Path(FILE).is_file() else path


def read(path: Path) -> PageOptions:
    """Read a file's table `[page]`; folders that it names are relative to it.

    Raises:
        BadInputError: It cannot be read, or has an unknown key or a wrong value.
    """
    file = _read(path)
    page = file.page
    if "teach" in page.model_fields_set:
        raise BadInputError(f"{path}: page.teach is not known; write [teach] and enabled = true")
    folders = {"samples": page.samples, "template": page.template}
    changes: dict[str, Any] = {
        name: path.parent / folder for name, folder in folders.items() if folder
    }
    if "teach" in file.model_fields_set:
        changes["teach"] = file.teach.enabled
    return page.model_copy(update=changes)


def _read(path: Path) -> _File:
    try:
        return _File(**toml.read(path))
    except ValidationError as error:
        raise BadInputError(f"{path}: {_fault(error)}") from error


def _fault(error: ValidationError) -> str:
    """Return the first fault as a clause that names the key and how to fix it."""
    fault = error.errors()[0]
    # Of a list the whole is named, not the place in it.
    *tables, key = (each for each in fault["loc"] or ("page",) if isinstance(each, str))
    name = ".".join((*tables, key))
    if fault["type"] == "extra_forbidden":
        known = list(_TABLES.get(".".join(tables), _File).model_fields)
        near = difflib.get_close_matches(key, known, 1)
        hint = f"did you mean {near[0]}?" if near else f"known here: {', '.join(known)}"
        return f"{name} is not known; {hint}"
    if fault["type"] == "model_type":
        return f"{name} is not a table; write [{name}] and its keys below it"
    return f"{name}: {fault['msg'].removeprefix('Value error, ')}"


_TABLES: dict[str, type[BaseModel]] = {
    "page": PageOptions,
    "headers": Origins,
    "teach": _Teach,
}


class _WithoutNull(GenerateJsonSchema):
    """Leaves null out of the schema, because TOML has no null."""

    def nullable_schema(self, schema: core_schema.NullableSchema) -> dict[str, Any]:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> dict[str, Any]:
        made = super().default_schema(schema)
        return {name: value for name, value in made.items() if (name, value) != ("default", None)}


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of `toolchain.toml`, for editors."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_File.model_json_schema(schema_generator=_WithoutNull),
        "title": "toolchain.toml",
    }
