"""Models on TF Hub, or on any server with the same protocol.

The protocol: a GET of the handle with `tf-hub-format=compressed` in the query. The answer is the
SavedModel as an archive, often after a redirect.
"""

from __future__ import annotations

import unicodedata
import urllib.parse
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.errors import BadInputError
from toolchain.records.card import HUB_RANGE
from toolchain.sources import download
from toolchain.sources.http_request import PORTS
from toolchain.sources.saved_model import Fetched

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.sources.download import Get
    from toolchain.sources.retries import NetworkPolicy

ORIGIN = "https://tfhub.dev"

_FORMAT = ("tf-hub-format", "compressed")


def canonical(handle: str) -> str:
    """Return a TF Hub handle in its canonical form.

    The form has no surrounding space, trailing slashes, fragment, default port, capitals in the
    host, or `tf-hub-format` in the query: these do not make another model.

    Raises:
        BadInputError: It is not an http(s) URL that names a model.
    """
    text = handle.strip()
    try:
        parts = urllib.parse.urlsplit(text)
        host = (parts.hostname or "").encode("idna").decode("ascii")
        port = parts.port
        path = urllib.parse.quote(parts.path, safe="/%:@!$&'()*+,;=~").rstrip("/")
        query = urllib.parse.urlencode(
            [pair for pair in urllib.parse.parse_qsl(parts.query) if pair[0] != _FORMAT[0]]
        )
    except ValueError as error:  # includes UnicodeError, for an impossible host name
        raise BadInputError(f"{handle!r} is not a TF Hub handle: {error}") from error
    if parts.scheme not in PORTS or not host or not path:
        raise BadInputError(
            f"{handle!r} is not a TF Hub handle; write {ORIGIN}/publisher/model/version"
        )
    if parts.username is not None or any(map(_is_odd, text)):
        raise BadInputError(
            f"{_without_user(parts)!r} is not a TF Hub handle; leave out user names, spaces and "
            "control characters"
        )
    scheme = "https" if host == "tfhub.dev" else parts.scheme
    netloc = f"[{host}]" if ":" in host else host
    if port is not None and port != PORTS[parts.scheme]:
        netloc += f":{port}"
    return urllib.parse.urlunsplit((scheme, netloc, path, query, ""))


def origin_of(handle: str, mirror: str | None = None) -> str:
    """Return scheme, host and port of the first request for `handle`.

    :mod:`toolchain.sources.retries` remembers unreachable hosts by this.

    Raises:
        BadInputError: The handle or the mirror is not an http(s) URL.
    """
    parts = urllib.parse.urlsplit(_mirrored(canonical(handle), mirror))
    return f"{parts.scheme}://{parts.netloc}"


def fetch(
    handle: str,
    *,
    store: Store,
    policy: NetworkPolicy,
    progress: Progress,
    mirror: str | None = None,
) -> Fetched:
    """Return the model of a TF Hub handle, downloaded unless a whole copy is cached.

    Args:
        handle: Any http(s) URL that answers as TF Hub does.
        store: The cache.
        policy: Time limits and retries.
        progress: Told of the download.
        mirror: Base URL of a server to use instead of https://tfhub.dev; the model keeps its
            handle.

    Raises:
        BadInputError: The handle or the mirror is not an http(s) URL.
        UnreachableError: Nothing answered.
        SourceError: The model does not exist, or what came is not a model.
    """
    source = canonical(handle)
    url = _mirrored(source, mirror)

    def attempt(scratch: Path, get: Get) -> Path:
        return download.unpacked(_compressed(url), scratch / "model", get)

    folder = download.through_store(
        "tfhub", source, attempt, store=store, policy=policy, progress=progress
    )
    return Fetched(folder, digest.of_tree(folder), source, range_guess=HUB_RANGE)


def _mirrored(source: str, mirror: str | None) -> str:
    if mirror is None or not source.startswith(f"{ORIGIN}/"):
        return source
    parts = urllib.parse.urlsplit(mirror)
    if parts.scheme not in PORTS or not parts.netloc:
        raise BadInputError(f"the mirror {mirror!r} is not a base URL; write http(s)://HOST[:PORT]")
    return mirror.rstrip("/") + source[len(ORIGIN) :]


def _compressed(url: str) -> str:
    """Return the address of the archive."""
    parts = urllib.parse.urlsplit(url)
    query = urllib.parse.urlencode([*urllib.parse.parse_qsl(parts.query), _FORMAT])
    return urllib.parse.urlunsplit(parts._replace(query=query))


def _is_odd(character: str) -> bool:
    return character.isspace() or unicodedata.category(character) == "Cc"


def _without_user(parts: urllib.parse.SplitResult) -> str:
    """Return an address without its user name and password, for messages."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
