"""Fetches files of a deployed site as a browser would, and tells what really travelled."""

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
_MOST_BYTES = 1 << 30  # that an answer may unpack to
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
    """By names in lower case."""
    wire_bytes: int
    """Of the body, as it travelled."""
    content: bytes | None
    """Unpacked; None where it could not be."""
    cut: bool = False
    """Whether the connection ended amid the body."""

    @property
    def media_type(self) -> str:
        """The type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def encoding(self) -> str:
        """How the body was compressed; empty where it was not."""
        return self.headers.get("content-encoding", "")

    @property
    def from_cache(self) -> bool:
        """Whether something between the host and here says that it had the file already."""
        age = self.headers.get("age", "0").strip()
        # Such as X-Cache: HIT from edge, cf-cache-status: STALE; RFC 9211 has Cache-Status.
        said = (value.lower() for name, value in self.headers.items() if "cache" in name)
        return (age.isdigit() and int(age) > 0) or any(
            re.search(r"\b(hit|stale)\b", value) for value in said
        )


class Fetcher:
    """Asks one host for files, over connections that stay open."""

    def __init__(self, base: str, pool: Any) -> None:
        self._base = base
        self._pool = pool

    def get(self, path: str) -> Answer:
        """Fetch a file.

        Args:
            path: Below the site's address; empty for the page.

        Raises:
            ToolchainError: Nothing answered.
        """
        import urllib3

        url = urljoin(self._base, path)
        try:
            for _ in range(_TRIES):
                answer = self._once(url)
                if not answer.cut:
                    break
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            raise ToolchainError(
                f"{url} could not be fetched ({type(cause).__name__}); see that the address is "
                "right and the host is up"
            ) from error
        return answer

    def _once(self, url: str) -> Answer:
        import urllib3

        answer = self._pool.request(
            "GET",
            url,
            # As a visitor who was never here: what a cache on the way has is what they get.
            headers={"Accept-Encoding": _ACCEPTED},
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
    """Give what fetches from the folder of a page's address.

    Raises:
        BadInputError: It is no address of HTTP.
    """
    import urllib3

    if urlsplit(address).scheme not in ("http", "https") or not urlsplit(address).netloc:
        raise BadInputError(f"{address} is no address of a site; write it like https://host/path/")
    with urllib3.PoolManager() as pool:
        yield Fetcher(address, pool)


def unpacked(body: bytes, encoding: str) -> bytes | None:
    """Undo what a Content-Encoding names (RFC 9110, 8.4); None where the body is not that."""
    import brotli

    for name in reversed([part.strip().lower() for part in encoding.split(",")]):
        try:
            if name in ("gzip", "x-gzip"):
                body = gzip.decompress(body)
            elif name == "br":
                # What is fetched here is compared with a digest, so a bomb is no more than a wait.
                body = bytes(brotli.decompress(body))
            elif name not in ("", "identity"):
                return None
        except (OSError, EOFError, ValueError, brotli.error):
            return None
    return body if len(body) <= _MOST_BYTES else None
