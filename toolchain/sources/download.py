"""What every source on the network has in common: from an archive to a whole entry kept."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.errors import BadInputError
from toolchain.sources import archive, http_client, retries, saved_model
from toolchain.sources.retries import AttemptError

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.sources.retries import NetworkPolicy

_TAR, _TAR_AT = b"ustar", 257  # how a plain tar says what it is, and where

Get = Callable[..., None]
"""`http_client.download` for one attempt; the address, the file and options are to be added."""


def through_store(
    kind: str,
    handle: str,
    attempt: Callable[[Path, Get], Path],
    *,
    store: Store,
    policy: NetworkPolicy,
    progress: Progress,
) -> Path:
    """Return the SavedModel folder of a handle, downloaded unless a whole one is kept.

    What a host sent is kept by its handle alone, whatever version of this tool fetched it: it
    is what results are made of and none itself, and asking again may bring other bytes or
    nothing. Nothing wrong is served for that: a kept copy is held against its manifest, looked
    over as if it had just come, and compared with the pinned digest by the caller; and all
    that is made of it is kept by the fingerprint of what made it.

    Args:
        kind: Kind of the store's entry.
        handle: The canonical handle.
        attempt: Tries once: gets a folder and what downloads, returns the folder with the
            model under the one it got, which keeps its name. Each attempt gets the same
            folder, with what earlier ones left in it.
        store: Where models are kept.
        policy: How often and how long to try.
        progress: Hears of repeated attempts and of damaged entries.

    Raises:
        UnreachableError: Nothing answered.
        SourceError: The model cannot be fetched.
        ToolchainError: The store cannot be written.
    """
    key = digest.of_bytes(handle.encode())

    with store.lock(f"{kind} {handle}", doing=f"fetching {handle}", progress=progress):
        if (kept := _whole(store.get(kind, key))) is None:
            if store.has(kind, key):
                progress.say(f"The kept copy of {handle} is damaged; fetching it anew")
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
                    if (wrong := saved_model.fault(found)) is not None:
                        raise AttemptError(f"what came is no whole SavedModel: {wrong}")
                    found.rename(content / found.name)

                retries.with_retries(handle, once, policy=policy, progress=progress)
            kept = store.require(kind, key)
    (folder,) = kept.iterdir()
    return folder


def unpacked(url: str, folder: Path, get: Get) -> Path:
    """Return a folder with the content of the archive at an http(s) address.

    Args:
        url: The address.
        folder: Where the content goes; the archive is left beside it.
        get: What downloads.

    Raises:
        AttemptError: It did not come, or is no archive of a model.
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
        raise AttemptError("the server sends a web page in the place of an archive")
    raise AttemptError("the server sends something that is no archive")


def _whole(kept: Path | None) -> Path | None:
    """Return a kept folder if what it holds is a whole SavedModel."""
    if kept is None or [saved_model.fault(folder) for folder in kept.iterdir()] != [None]:
        return None
    return kept


def is_kept(store: Store, kind: str, handle: str) -> bool:
    """Tell whether the store has a whole copy of the model of a canonical handle."""
    return _whole(store.get(kind, digest.of_bytes(handle.encode()))) is not None
