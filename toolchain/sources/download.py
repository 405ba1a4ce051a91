"""What all network sources share: download an archive, check it, and keep it in the cache."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.errors import BadInputError
from toolchain.formats import archive, tfjs_files
from toolchain.sources import http_client, retries, saved_model
from toolchain.sources.retries import AttemptError

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.sources.retries import NetworkPolicy

_TAR, _TAR_AT = b"ustar", 257  # the mark of an uncompressed tar, and its offset

Fault = Callable[["Path"], str | None]
Get = Callable[..., str]
"""`http_client.download` for one attempt; the caller adds the address, the file and options."""


def through_store(
    kind: str,
    handle: str,
    attempt: Callable[[Path, Get], Path],
    *,
    store: Store,
    policy: NetworkPolicy,
    progress: Progress,
    fault: Fault | None = None,
) -> Path:
    """Return the folder of a handle's model, downloaded unless a whole copy is cached.

    The cache key is the handle alone, without a fingerprint: a download does not depend on this
    tool's version, and another download may bring other bytes or fail. This is safe, because a
    cached copy is compared with its manifest and checked like a new download, the caller compares
    it with the pinned digest, and all results made from it are keyed by fingerprints.

    Args:
        kind: Kind of the store's entry.
        handle: The canonical handle.
        attempt: Tries once. It gets a scratch folder and a function that downloads, and returns
            the model's folder, which must be below the scratch folder and keeps its name. Each
            attempt gets the same scratch folder, with what earlier attempts left in it.
        store: The cache.
        policy: How often to try, and for how long.
        progress: Told of retries and damaged entries.
        fault: Returns what is not whole of a folder, as one clause, or None. The default looks
            for a SavedModel or a TF.js model.

    Raises:
        UnreachableError: Nothing answered.
        SourceError: The model cannot be fetched.
        ToolchainError: The store cannot be written.
    """
    key = digest.of_bytes(handle.encode())
    fault = fault or _fault

    with store.lock(f"{kind} {handle}", doing=f"fetching {handle}", progress=progress):
        if (kept := _whole(store.get(kind, key), fault)) is None:
            if store.has(kind, key):
                progress.say(f"The cached copy of {handle} is damaged; fetching it again")
            with store.put(kind, key) as content, store.scratch() as scratch:

                def once(deadline: float) -> None:
                    get = functools.partial(
                        http_client.download,
                        label=f"Downloading {handle}",
                        policy=policy,
                        deadline=deadline,
                        progress=progress,
                    )
                    found = attempt(scratch, get)
                    if (wrong := fault(found)) is not None:
                        raise AttemptError(f"what came is not a whole {wrong}")
                    found.rename(content / found.name)

                retries.with_retries(handle, once, policy=policy, progress=progress)
            kept = store.require(kind, key)
    (folder,) = kept.iterdir()
    return folder


def unpacked(url: str, folder: Path, get: Get) -> Path:
    """Download and unpack the archive at an http(s) address, and return the folder.

    Args:
        url: The address.
        folder: Where to unpack it; the archive is left beside it.
        get: The function that downloads.

    Raises:
        AttemptError: The archive did not come, or is not an archive of a model.
        BadInputError: The environment names a proxy or certificates that cannot be used.
    """
    packed = folder.with_name(f"{folder.name}-archive")
    get(url, packed, expect=_expect_archive)
    folder.mkdir(parents=True)
    try:
        archive.extract(packed, folder, shown="what came")
    except BadInputError as error:
        raise AttemptError(str(error)) from error
    return folder


def _expect_archive(head: bytes) -> None:
    if head.startswith(tuple(archive.COMPRESSIONS)) or head[_TAR_AT:].startswith(_TAR):
        return
    if not head:
        raise AttemptError("the server sends an empty file")
    if head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        raise AttemptError("the server sends a web page instead of an archive")
    raise AttemptError("the server sends something that is not an archive")


def _whole(kept: Path | None, fault: Fault) -> Path | None:
    """Return a cached folder if it holds a whole model, else None."""
    if kept is None or [fault(folder) for folder in kept.iterdir()] != [None]:
        return None
    return kept


def _fault(folder: Path) -> str | None:
    """Return which model is not whole, and what is missing of it, as one clause, or None."""
    if not (folder / tfjs_files.NAME).is_file():
        missing = saved_model.fault(folder)
        return None if missing is None else f"SavedModel: {missing}"
    try:
        tfjs_files.read(folder / tfjs_files.NAME)
    except BadInputError as error:
        return f"TF.js model: {str(error).replace(f'{folder}/', '')}"
    return None


def is_kept(store: Store, kind: str, handle: str, fault: Fault | None = None) -> bool:
    """Tell whether a whole copy of a canonical handle's model is cached.

    Args:
        store: The cache.
        kind: Kind of the store's entry.
        handle: The canonical handle.
        fault: As for :func:`through_store`.
    """
    kept = store.get(kind, digest.of_bytes(handle.encode()))
    return _whole(kept, fault or _fault) is not None
