"""`build-info.json`: what a site was made of and by, and the digest of every file of it.

It names no photo and no path of the building machine, so it is published with the site;
`toolchain verify` compares what a host sends with it.
"""

from __future__ import annotations

import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolchain import __version__, digest
from toolchain.errors import BadInputError
from toolchain.records.card import first_fault
from toolchain.site.host_files import HEADERS_FILE
from toolchain.site.precompress import ENCODINGS

if TYPE_CHECKING:
    from pathlib import Path

NAME = "build-info.json"
_PACKAGES = ("tensorflow", "tensorflowjs", "tensorflow-hub", "numpy", "brotli", "pillow")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FileFact(_Part):
    """What is known of a file without having it."""

    size: int
    sha256: str


class Built(_Part):
    """A model that went into the site."""

    name: str
    source: str
    sha256: str
    """Of the source, before conversion."""
    licence: str
    quantization: str
    basis: str
    """Digest of all that its weights depend on: the source, how it was to be converted and
    compressed, the photos, and the code and the libraries that did it."""
    plan: str | None
    """Digest of the plan that they were compressed by, as `report.json` has it."""
    calibration: str | None
    """Digest of the photos that they were rounded by, names and contents."""
    evaluation: str | None
    """Digest of the photos that they were judged by."""


class Inputs(_Part):
    """What the user gave besides models, by its digests."""

    shard_bytes: int
    page: str
    """Of what `toolchain.toml` and the flags say of the page."""
    samples: str | None
    """Of the folder of sample photos."""
    template: str | None
    """Of the folder of the user's template."""


class BuildInfo(_Part):
    """The whole file."""

    schema_: Annotated[Literal[2], Field(alias="schema")] = 2
    toolchain: str
    python: str
    packages: dict[str, str]
    """Versions of the libraries that the site's content depends on."""
    models: tuple[Built, ...]
    inputs: Inputs
    files: dict[str, FileFact]
    """By path, as they are before any encoding; without compressed neighbours, the report, and
    what only hosts read."""


def write(site: Path, models: tuple[Built, ...], inputs: Inputs) -> None:
    """Write the file into a site of which all other files are there."""
    files = {
        path: FileFact(size=file.stat().st_size, sha256=digest.of_file(file))
        for path, file in sorted(_published(site).items())
    }
    info = BuildInfo(
        toolchain=__version__,
        python=platform.python_version(),
        packages={name: version(name) for name in _PACKAGES},
        models=models,
        inputs=inputs,
        files=files,
    )
    (site / NAME).write_text(info.model_dump_json(by_alias=True, indent=1) + "\n", "utf-8")


def read(content: bytes, where: str) -> BuildInfo:
    """Read what :func:`write` has written.

    Args:
        content: Of the file.
        where: It came from, for the error.

    Raises:
        BadInputError: It is something else.
    """
    try:
        return BuildInfo.model_validate_json(content)
    except ValidationError as error:
        raise BadInputError(
            f"{where} is no {NAME} of this version ({first_fault(error)}); build and deploy the "
            "site again"
        ) from error


def _published(site: Path) -> dict[str, Path]:
    return {
        path: file
        for file in site.rglob("*")
        if file.is_file()
        and not (path := file.relative_to(site).as_posix()).startswith("report.")
        and path not in (NAME, HEADERS_FILE)
        and file.suffix not in ENCODINGS.values()
    }
