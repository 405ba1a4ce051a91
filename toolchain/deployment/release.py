"""The records of a release, and of the releases that a host has had.

A host keeps its history beside the site, in `.toolchain/`: the list of each release's files, and
copies of the files whose names stay the same from one release to the next.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from toolchain import digest
from toolchain.deployment.fetch import unpacked
from toolchain.errors import BadInputError
from toolchain.records.card import first_fault
from toolchain.site import build_info
from toolchain.site import headers as table
from toolchain.site.build_info import FileFact
from toolchain.site.host_files import HEADERS_FILE
from toolchain.site.precompress import ENCODINGS
from toolchain.tfjs.artifacts import HASH_DIGITS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolchain.deployment.hosts import Host

PRIVATE = ".toolchain"
HISTORY = f"{PRIVATE}/history.json"
PAGE = "index.html"
_REPORT = ("report.json", "report.html")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Shipped(_Part):
    """A release that a host has, or has had."""

    version: str
    at: datetime
    """When it was deployed."""
    until: datetime | None = None
    """When another release replaced it; None if none has."""
    files: dict[str, FileFact]


class History(_Part):
    """The releases of a host; visitors get the last one."""

    schema_version: Literal[1, 2] = 2
    """Version 1 had no `abandoned`."""
    releases: tuple[Shipped, ...] = ()
    coming: Shipped | None = None
    """The release being deployed. If no deploy is running, that deploy was interrupted."""
    abandoned: tuple[Shipped, ...] = ()
    """Releases whose deploy was interrupted and which another release then replaced."""


def read_history(content: bytes | None) -> History:
    """Read a history file; None stands for an empty history.

    Raises:
        BadInputError: It is not a history of this version.
    """
    if content is None:
        return History()
    try:
        return History.model_validate_json(content)
    except ValidationError as error:
        raise BadInputError(
            f"{HISTORY} on the host is not of this version ({first_fault(error)}); deploy with "
            "the version of toolchain that wrote it, or remove the file to start afresh"
        ) from error


@dataclass(frozen=True)
class Release:
    """The files of a built site that go to one kind of host."""

    site: Path
    version: str
    """A digest of the content."""
    files: Mapping[str, FileFact]
    """Files by their paths in the site."""

    @property
    def lasting(self) -> list[str]:
        """Paths with a hash of the content in their name; they never change and are sent first."""
        return [path for path in self.files if is_lasting(path)]

    @property
    def entries(self) -> list[str]:
        """Paths whose content changes from release to release, without those of the page."""
        return [path for path in self.files if not is_lasting(path) and not is_page(path)]

    @property
    def page(self) -> list[str]:
        """Paths of `index.html` and its encodings; once they are sent, visitors get the release."""
        return [path for path in self.files if is_page(path)]


def is_lasting(path: str) -> bool:
    """Tell whether a path, of any encoding, has a hash of its content in its name."""
    return re.search(table.HASHED, _without_encoding(path)) is not None


def is_page(path: str) -> bool:
    """Tell whether a path is the page's, in any encoding."""
    return _without_encoding(path) == PAGE


def _without_encoding(path: str) -> str:
    for suffix in ENCODINGS.values():
        path = path.removesuffix(suffix)
    return path


def of_site(site: Path, host: Host, *, with_report: bool = False) -> Release:
    """Select the files of a site that go to a host.

    Args:
        site: The built site.
        host: The kind of host; `.br`, `.gz` and `_headers` go only to hosts that use them.
        with_report: Whether to include `report.json` and `report.html`. They name the photos
            that the model was judged on and show some of them.

    Raises:
        BadInputError: It is not a built site, holds a link, or has changed since it was built.
    """
    if not (site / PAGE).is_file() or not (site / "report.json").is_file():
        raise BadInputError(f"there is no site at {site}; build one with `toolchain build`")
    files: dict[str, FileFact] = {}
    for file in sorted(site.rglob("*")):
        path = file.relative_to(site).as_posix()
        if file.is_symlink():
            raise BadInputError(
                f"{path} in {site} is a link, which could lead out of the site; replace it by the "
                "file itself, or build the site again"
            )
        if file.is_file() and _is_sent(path, host, with_report=with_report):
            files[path] = FileFact(size=file.stat().st_size, sha256=digest.of_file(file))
    _check_built(site)
    version = digest.of_json({path: fact.sha256 for path, fact in files.items()})
    return Release(site, version[:HASH_DIGITS], files)


def _check_built(site: Path) -> None:
    """Check that a site's files, and their `.br` and `.gz` files, are what the build wrote.

    Raises:
        BadInputError: A file differs or is missing.
    """
    record = site / build_info.NAME
    if not record.is_file():
        return
    for path, fact in build_info.read(record.read_bytes(), str(record)).files.items():
        file = site / path
        if not file.is_file():
            raise BadInputError(
                f"{path} is missing from {site}, but {build_info.NAME} lists it; build the site "
                "again"
            )
        contents = {path: file.read_bytes()}
        for encoding, suffix in ENCODINGS.items():
            if (neighbour := site / (path + suffix)).is_file():
                contents[path + suffix] = unpacked(neighbour.read_bytes(), encoding) or b""
        for name, content in contents.items():
            if digest.of_bytes(content) != fact.sha256:
                raise BadInputError(
                    f"{name} in {site} is not what was built: {build_info.NAME} lists another "
                    "SHA-256; build the site again"
                )


def _is_sent(path: str, host: Host, *, with_report: bool) -> bool:
    plain = _without_encoding(path)
    if plain in _REPORT:
        return with_report and (plain == path or host.negotiates)
    if path == HEADERS_FILE:
        return host.reads_headers_file
    return plain == path or host.negotiates


def kept_copy(version: str, path: str) -> str:
    """Return the path on the host of a release's copy of a file."""
    return f"{PRIVATE}/releases/{version}/{path}"
