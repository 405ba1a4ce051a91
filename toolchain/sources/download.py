"""What every source on the network has in common: from attempts to a whole entry kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.sources import network, saved_model
from toolchain.sources.network import AttemptError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.progress import Progress
    from toolchain.sources.network import NetworkPolicy
    from toolchain.store import Store


def through_store(
    kind: str,
    handle: str,
    attempt: Callable[[Path, float], Path],
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
        attempt: Tries once: gets an empty folder and the moment to be done by, returns
            the folder with the model under the one it got, which keeps its name.
        store: Where models are kept.
        policy: How often and how long to try.
        progress: Hears of repeated attempts and of damaged entries.

    Raises:
        UnreachableError: Nothing answered.
        SourceError: The model cannot be fetched.
        ToolchainError: The store cannot be written.
    """
    key = digest.of_bytes(handle.encode())

    def once(deadline: float) -> None:
        with store.scratch() as scratch:
            found = attempt(scratch, deadline)
            if (wrong := saved_model.fault(found)) is not None:
                raise AttemptError(f"what came is no whole SavedModel: {wrong}")
            with store.put(kind, key) as content:
                found.rename(content / found.name)

    with store.lock(f"{kind} {handle}", doing=f"fetching {handle}", progress=progress):
        if (kept := _whole(store.get(kind, key))) is None:
            if store.has(kind, key):
                progress.say(f"The kept copy of {handle} is damaged; fetching it anew")
            network.with_retries(handle, once, policy=policy, progress=progress)
            kept = store.require(kind, key)
    (folder,) = kept.iterdir()
    return folder


def _whole(kept: Path | None) -> Path | None:
    """Return a kept folder if what it holds is a whole SavedModel."""
    if kept is None or [saved_model.fault(folder) for folder in kept.iterdir()] != [None]:
        return None
    return kept


def is_kept(store: Store, kind: str, handle: str) -> bool:
    """Tell whether the store has a whole copy of the model of a canonical handle."""
    return _whole(store.get(kind, digest.of_bytes(handle.encode()))) is not None
