"""`build-info.json`: what a site was built from, with which versions, and each file's digest.

It names no photo and no path of the building machine, so it can be published with the site.
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
from toolchain.site.origins import NOBODY, Origins
from toolchain.site.precompress import ENCODINGS

if TYPE_CHECKING:
    from pathlib import Path

NAME = "build-info.json"
_PACKAGES = ("tensorflow", "tensorflowjs", "tensorflow-hub", "numpy", "brotli", "pillow")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class FileFact(_Part):
    """Size and digest of a file."""

    size: int
    sha256: str


class Built(_Part):
    """A model of the site."""

    name: str
    source: str
    sha256: str
    """Digest of the source, before conversion."""
    licence: str
    quantization: str
    basis: str
    """Digest of everything that its weights depend on: the source, the options of conversion and
    quantisation, the photos, and the versions of the code and the libraries."""
    plan: str | None
    """Digest of the plan of its weights, as in `report.json`."""
    calibration: str | None
    """Digest of the photos that the weights were rounded by, names and contents."""
    evaluation: str | None
    """Digest of the photos that the weights were judged by."""


class Inputs(_Part):
    """The user's other inputs, as digests."""

    shard_bytes: int
    page: str
    """Digest of the options for the page, from `toolchain.toml` and the flags."""
    samples: str | None
    """Digest of the folder of sample photos."""
    template: str | None
    """Digest of the folder of the user's template."""


class BuildInfo(_Part):
    """The whole file."""

    schema_: Annotated[Literal[2], Field(alias="schema")] = 2
    toolchain: str
    python: str
    packages: dict[str, str]
    """Versions of the libraries that the site's content depends on."""
    models: tuple[Built, ...]
    inputs: Inputs
    origins: Origins = NOBODY
    """Which other sites may use the site; servers are configured by it."""
    files: dict[str, FileFact]
    """Files by path, before any Content-Encoding; without the `.br` and `.gz` files, the report,
    and files that only hosts read."""


def write(site: Path, models: tuple[Built, ...], inputs: Inputs, origins: Origins = NOBODY) -> None:
    """Write the file into a site in which all other files are already there."""
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
        origins=origins,
        files=files,
    )
    (site / NAME).write_text(info.model_dump_json(by_alias=True, indent=1) + "\n", "utf-8")


def read(content: bytes, where: str) -> BuildInfo:
    """Read what :func:`write` has written.

    Args:
        content: The file's content.
        where: Where the file came from, for the error message.

    Raises:
        BadInputError: It is not a `build-info.json` of this version.
    """
    try:
        return BuildInfo.model_validate_json(content)
    except ValidationError as error:
        raise BadInputError(
            f"{where} is not a {NAME} of this version ({first_fault(error)}); build and deploy "
            "the site again"
        ) from error


def origins_of(site: Path) -> Origins:
    """Return which other sites may use a built site; nobody if it has no `build-info.json`.

    Raises:
        BadInputError: It is not of this version.
    """
    file = site / NAME
    return read(file.read_bytes(), str(file)).origins if file.is_file() else NOBODY


def _published(site: Path) -> dict[str, Path]:
    return {
        path: file
        for file in site.rglob("*")
        if file.is_file()
        and not (path := file.relative_to(site).as_posix()).startswith("report.")
        and path not in (NAME, HEADERS_FILE)
        and file.suffix not in ENCODINGS.values()
    }
