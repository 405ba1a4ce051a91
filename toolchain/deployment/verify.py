"""Compares what a host sends with what was built: every file, its content and its headers."""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict

from toolchain import digest
from toolchain.deployment.fetch import fetching, unpacked
from toolchain.errors import BadInputError, ToolchainError
from toolchain.site import build_info
from toolchain.site import headers as table
from toolchain.site.origins import ANY
from toolchain.site.precompress import ENCODINGS

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.deployment.fetch import Answer, Fetcher
    from toolchain.progress import Progress
    from toolchain.site.build_info import BuildInfo, FileFact
    from toolchain.site.origins import Origins

PAGE = "index.html"
_MISSING_FILE = "model/there-is-no-such-file.0000000000000000.bin"
_MONTH = 30 * 24 * 3600
_ISOLATION = {
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-embedder-policy": "require-corp",
}
_FOR_TOOLS = (".map", ".ts")
_SOMEBODY = "https://somebody.invalid"
"""Stands for any origin; the domain is reserved by RFC 2606."""
# Media types that browsers treat alike.
_ALIKE = {
    "application/javascript": "text/javascript",
    "image/x-icon": "image/vnd.microsoft.icon",
    "application/font-woff": "font/woff",
    "application/font-woff2": "font/woff2",
    "audio/vnd.wave": "audio/wav",
    "audio/x-wav": "audio/wav",
    "text/xml": "application/xml",
    "binary/octet-stream": "application/octet-stream",
}


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Checked(_Part):
    """The result for one file."""

    path: str
    wire_bytes: int
    encoding: str
    faults: tuple[str, ...]
    """What is wrong with it, each with its cause."""


class FaultyDeploymentError(ToolchainError):
    """A host does not send what was built, or sends it with wrong headers."""


class Verification(_Part):
    """The result for a deployed site."""

    url: str
    files: tuple[Checked, ...]
    policy: str | None
    """The Content-Security-Policy of the page, from a header or its meta element."""
    isolated: bool
    """Whether the page is cross-origin isolated, which it does not need."""
    faults: tuple[str, ...]
    """What is wrong with the site as a whole."""

    @property
    def all_faults(self) -> list[str]:
        """Every fault, those of files with their paths."""
        return [
            *self.faults,
            *(f"{each.path}: {fault}" for each in self.files for fault in each.faults),
        ]

    def enforce(self) -> None:
        """Raise an error if there are faults.

        Raises:
            FaultyDeploymentError: Its message has the first fault and the number of the others.
        """
        if self.all_faults:
            first, *others = self.all_faults
            more = f" (and {len(others)} more)" if others else ""
            raise FaultyDeploymentError(f"{self.url}: {first}{more}")

    @property
    def wire_bytes(self) -> int:
        """Bytes of all bodies as transferred."""
        return sum(each.wire_bytes for each in self.files)


def verify(
    url: str, *, progress: Progress, site: Path | None = None, custom_headers: bool = True
) -> Verification:
    """Fetch every file of a deployed site and compare it with what was built.

    Args:
        url: The page's address.
        progress: Advances with each file.
        site: The site as it was built; None to compare with the host's own `build-info.json`.
        custom_headers: Whether users can set headers at the host. If not, headers for caching
            and policy are not checked.

    Raises:
        BadInputError: There is no site at `url`, or none at `site`.
        ToolchainError: The host does not answer.
    """
    address = url if url.endswith(("/", ".html")) else f"{url}/"
    with fetching(address) as fetcher:
        page = fetcher.get("")
        if page.status != HTTPStatus.OK:
            raise BadInputError(
                f"{address} answers with status {page.status}; is it deployed there?"
            )
        info = _expected(fetcher, site)
        files = []
        reader = next(iter(info.origins.cors), None)
        reader = _SOMEBODY if reader == ANY else reader
        with progress.track("Verifying", len(info.files)) as tracker:
            for path, fact in info.files.items():
                answer = page if path == PAGE else fetcher.get(path, reader)
                checked = _check(path, fact, answer, custom_headers=custom_headers)
                if reader and (fault := _sharing_fault(path, answer, info.origins, reader)):
                    checked = checked.model_copy(update={"faults": (*checked.faults, fault)})
                files.append(checked)
                tracker.advance(1)
        nowhere = fetcher.get(_MISSING_FILE)
    policy = _policy(page)
    faults = []
    if policy is None:
        faults.append("the page has no Content-Security-Policy, in a header or in itself")
    if custom_headers:
        faults += _framing_faults(page, info.origins)
    if nowhere.status == HTTPStatus.OK:
        faults.append(
            "the host answers with status 200 for files that do not exist, so a missing file goes "
            "unnoticed; deploy 404.html, or switch the host's fallback page off"
        )
    return Verification(
        url=page.url,
        files=tuple(files),
        policy=policy,
        isolated=all(page.headers.get(name) == value for name, value in _ISOLATION.items()),
        faults=tuple(faults),
    )


def _expected(fetcher: Fetcher, site: Path | None) -> BuildInfo:
    if site is not None:
        file = site / build_info.NAME
        if not file.is_file():
            raise BadInputError(
                f"there is no {build_info.NAME} in {site}; build the site with this version"
            )
        return build_info.read(file.read_bytes(), str(file))
    answer = fetcher.get(build_info.NAME)
    if answer.status != HTTPStatus.OK or answer.content is None:
        raise BadInputError(
            f"{answer.url} answers with status {answer.status}, so it is unknown what should be "
            "there; name the built site with --site"
        )
    return build_info.read(answer.content, answer.url)


def _check(path: str, fact: FileFact, answer: Answer, *, custom_headers: bool) -> Checked:
    fault = _content_fault(path, fact, answer)
    faults = [fault] if fault else []
    if answer.status == HTTPStatus.OK:
        faults += _header_faults(path, answer, custom_headers=custom_headers)
    return Checked(
        path=path,
        wire_bytes=answer.wire_bytes,
        encoding=answer.encoding,
        faults=tuple(faults),
    )


def _content_fault(path: str, fact: FileFact, answer: Answer) -> str | None:
    if answer.status != HTTPStatus.OK:
        return f"is not there: the host answers with status {answer.status}; deploy again"
    if answer.cut:
        said = answer.headers.get("content-length", "more")
        return (
            f"breaks off after {answer.wire_bytes:,} bytes where the host announces {said}; fix "
            "the host's Content-Length, or deploy again"
        )
    if answer.content is None:
        return f"is damaged: it cannot be unpacked by its Content-Encoding, {answer.encoding}"
    if digest.of_bytes(answer.content) == fact.sha256:
        return None
    return _packed_fault(fact, answer.content, answer.encoding) or _other_fault(path, fact, answer)


def _other_fault(path: str, fact: FileFact, answer: Answer) -> str:
    """Describe a body that arrived completely but is not the file."""
    content = answer.content or b""
    page = answer.media_type == "text/html" or content.lstrip()[:14].lower() == b"<!doctype html"
    if page and not path.endswith(".html"):
        return "is not there: the host sent a web page in its place; deploy again"
    if answer.from_cache:
        return "is of another build, from a cache in front of the host; empty that cache"
    if len(content) < fact.size:
        return f"is cut: {len(content):,} bytes instead of {fact.size:,}; deploy again"
    return "is of another build; deploy again, or empty the CDN's cache"


def _packed_fault(fact: FileFact, content: bytes, encoding: str) -> str | None:
    """Describe a file whose compression differs from its Content-Encoding; None if it does not."""
    for name in ENCODINGS:
        inner = unpacked(content, name)
        if inner is not None and digest.of_bytes(inner) == fact.sha256:
            if encoding:
                return f"is compressed twice, by {name} too; switch one of the two off at the host"
            return f"is compressed by {name} without a Content-Encoding; fix that at the host"
    return None


def _header_faults(path: str, answer: Answer, *, custom_headers: bool) -> list[str]:
    faults = []
    wanted = table.content_type(path).partition(";")[0]
    found = _ALIKE.get(answer.media_type, answer.media_type)
    # For files that are only fetched any type will do; others a browser refuses.
    matters = wanted != "application/octet-stream" and not path.endswith(_FOR_TOOLS)
    if matters and wanted != found:
        faults.append(f"has the type {answer.media_type or '(none)'} instead of {wanted}")
    if custom_headers:
        cache = answer.headers.get("cache-control", "")
        if not _keeps_well(path, cache):
            faults.append(
                f'has Cache-Control "{cache}" where "{table.cache_control(path)}" is wanted'
            )
    return faults


def _sharing_fault(path: str, answer: Answer, origins: Origins, reader: str) -> str | None:
    """Describe a file that a page of another origin may not read although the site says so."""
    allowed = answer.headers.get("access-control-allow-origin")
    if answer.status != HTTPStatus.OK or not table.sharing(path, origins, reader):
        return None
    if allowed in (ANY, reader):
        return None
    whom = "any origin" if reader == _SOMEBODY else reader
    return (
        f"cannot be read by pages of {whom}: its Access-Control-Allow-Origin is "
        f"{allowed or 'missing'}; configure the host as `toolchain server-config` prints"
    )


def _framing_faults(page: Answer, origins: Origins) -> list[str]:
    """Describe who may not frame the page although the site says so."""
    policy = page.headers.get("content-security-policy", "")
    match = re.search(r"frame-ancestors([^;]*)", policy)
    refused = [each for each in origins.frame_ancestors if match and each not in match[1].split()]
    return [
        f"the page cannot be framed by {each}: the policy's frame-ancestors does not name it; "
        "configure the host as `toolchain server-config` prints"
        for each in refused
    ]


def _keeps_well(path: str, cache: str) -> bool:
    """Tell whether a file is cached for as long as its name allows, and no longer."""
    directives = {each.strip().lower() for each in cache.split(",")}
    ages = [int(match[1]) for each in directives if (match := re.fullmatch(r"max-age=(\d+)", each))]
    if table.cache_control(path) == table.IMMUTABLE:
        return bool(ages) and min(ages) >= _MONTH and "no-store" not in directives
    if {"no-cache", "no-store"} & directives:
        return True
    most = 0 if path != "sw.js" else max(map(int, re.findall(r"\d+", table.SERVICE_WORKER)))
    return bool(ages) and max(ages) <= most


def _policy(page: Answer) -> str | None:
    if found := page.headers.get("content-security-policy"):
        return found
    html = (page.content or b"").decode("utf-8", "replace")
    match = re.search(
        r'<meta\s+http-equiv="Content-Security-Policy"\s+content="([^"]*)"', html, re.IGNORECASE
    )
    return match[1] if match else None
