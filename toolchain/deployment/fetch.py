"""Fetches files of a deployed site as a browser would, and records what the host sent."""

from __future__ import annotations

import gzip
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from toolchain.errors import BadInputError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_SECONDS = 30.0
_MOST_BYTES = 1 << 30  # largest unpacked size of an answer
_ACCEPTED = "gzip, deflate, br"
_REDIRECTS = 5
_TRIES = 2
_PART_BYTES = 1 << 16


@dataclass(frozen=True)
class Answer:
    """What a host sent for one file."""

    url: str
    """After redirects."""
    status: int
    headers: Mapping[str, str]
    """Headers by name, in lower case."""
    wire_bytes: int
    """Bytes of the body as transferred, before unpacking."""
    content: bytes | None
    """The unpacked body; None if it cannot be unpacked."""
    cut: bool = False
    """Whether the connection ended before the end of the body."""

    @property
    def media_type(self) -> str:
        """The type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def encoding(self) -> str:
        """How the body was compressed; empty if it was not."""
        return self.headers.get("content-encoding", "")

    @property
    def from_cache(self) -> bool:
        """Whether the headers say that the file came from a cache in front of the host."""
        age = self.headers.get("age", "0").strip()
        # For example X-Cache: HIT from edge, or cf-cache-status: STALE; RFC 9211: Cache-Status.
        said = (value.lower() for name, value in self.headers.items() if "cache" in name)
        return (age.isdigit() and int(age) > 0) or any(
            re.search(r"\b(hit|stale)\b", value) for value in said
        )


class Fetcher:
    """Fetches files from one host, over connections that stay open."""

    def __init__(self, base: str, pool: Any) -> None:
        self._base = base
        self._pool = pool

    def get(self, path: str, origin: str | None = None) -> Answer:
        """Fetch a file.

        Args:
            path: Below the site's address; empty for the page.
            origin: Of the page on whose behalf it is asked for, if that is of another origin.

        Raises:
            ToolchainError: The host did not answer.
        """
        import urllib3

        url = urljoin(self._base, path)
        try:
            for _ in range(_TRIES):
                answer = self._once(url, origin)
                if not answer.cut:
                    break
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            raise ToolchainError(
                f"{url} could not be fetched ({type(cause).__name__}); check that the address is "
                "right and that the host is running"
            ) from error
        return answer

    def _once(self, url: str, origin: str | None) -> Answer:
        import urllib3

        answer = self._pool.request(
            "GET",
            url,
            # No cache headers, like a first visitor, who gets what a cache on the way has.
            headers={"Accept-Encoding": _ACCEPTED} | ({"Origin": origin} if origin else {}),
            preload_content=False,
            timeout=_SECONDS,
            redirect=True,
            retries=urllib3.Retry(2, redirect=_REDIRECTS, backoff_factor=0.2),
        )
        received, cut = bytearray(), False
        try:
            for part in answer.stream(_PART_BYTES, decode_content=False):
                received += part
        except urllib3.exceptions.ProtocolError:
            cut = True
        finally:
            answer.release_conn()
        body = bytes(received)
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(
            url=urljoin(url, answer.geturl() or url),
            status=answer.status,
            headers=headers,
            wire_bytes=len(body),
            content=None if cut else unpacked(body, headers.get("content-encoding", "")),
            cut=cut,
        )


@contextmanager
def fetching(address: str) -> Iterator[Fetcher]:
    """Yield a fetcher for paths relative to a page's address.

    Raises:
        BadInputError: It is not an HTTP address.
    """
    import urllib3

    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc:
        raise BadInputError(f"{address} is not a site's address; write it like https://host/path/")
    with urllib3.PoolManager() as pool:
        yield Fetcher(address, pool)


def unpacked(body: bytes, encoding: str) -> bytes | None:
    """Decode a body by its Content-Encoding (RFC 9110, 8.4); None if it cannot be decoded."""
    import brotli

    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        try:
            if name in ("gzip", "x-gzip"):
                body = gzip.decompress(body)
            elif name == "br":
                # The result is only compared with a digest, so a decompression bomb costs time
                # and memory, but does no other harm.
                body = bytes(brotli.decompress(body))
            elif name not in ("", "identity"):
                return None
        except (OSError, EOFError, ValueError, brotli.error):
            return None
    return body if len(body) <= _MOST_BYTES else None
