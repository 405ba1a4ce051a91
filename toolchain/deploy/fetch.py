"""Fetches files of a deployed site as a browser would, and tells what really travelled."""

from __future__ import annotations

import gzip
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

    @property
    def media_type(self) -> str:
        """The type without its parameters."""
        return self.headers.get("content-type", "").partition(";")[0].strip().lower()

    @property
    def encoding(self) -> str:
        """How the body was compressed; empty where it was not."""
        return self.headers.get("content-encoding", "")


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
            answer = self._pool.request(
                "GET",
                url,
                headers={"Accept-Encoding": _ACCEPTED, "Cache-Control": "no-cache"},
                decode_content=False,
                timeout=_SECONDS,
                redirect=True,
                retries=urllib3.Retry(2, redirect=_REDIRECTS, backoff_factor=0.2),
            )
        except urllib3.exceptions.HTTPError as error:
            cause = getattr(error, "reason", None) or error
            raise ToolchainError(
                f"{url} could not be fetched ({type(cause).__name__}); see that the address is "
                "right and the host is up"
            ) from error
        headers = {name.lower(): value for name, value in answer.headers.items()}
        return Answer(
            url=urljoin(url, answer.geturl() or url),
            status=answer.status,
            headers=headers,
            wire_bytes=len(answer.data),
            content=_unpacked(answer.data, headers.get("content-encoding", "")),
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


def _unpacked(body: bytes, encoding: str) -> bytes | None:
    import brotli

    try:
        if encoding == "gzip":
            return gzip.decompress(body)
        if encoding == "br":
            # What is fetched here is compared with a digest, so a bomb is no more than a wait.
            return bytes(brotli.decompress(body))
    except (OSError, EOFError, ValueError, brotli.error):
        return None
    return body if encoding in ("", "identity") and len(body) <= _MOST_BYTES else None
