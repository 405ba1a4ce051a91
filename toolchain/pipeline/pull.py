"""`toolchain pull`: fetches a model into the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.cache.store import Store
from toolchain.progress import SILENT, Progress
from toolchain.sources import resolve

if TYPE_CHECKING:
    from toolchain.sources.request import Request
    from toolchain.sources.saved_model import Fetched


def pull(request: Request, *, store: Store | None = None, progress: Progress = SILENT) -> Fetched:
    """Fetch a model into the cache, unless a whole copy is kept there, and pin its digest.

    Args:
        request: The model, and how to ask for it.
        store: The cache; None: the user's.
        progress: Hears of what is done.

    Raises:
        BadInputError: The word names no model, or a local model cannot be read.
        UnreachableError: No host that has it answered.
        SourceError: It was refused, or what came is no model, or not the pinned one.
    """
    return resolve.fetch(request, store=store or Store.default(), progress=progress)
