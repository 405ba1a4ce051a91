"""`toolchain pull`: fetches a model into the cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain import tf as tensorflow
from toolchain.cache.store import Store
from toolchain.graph import signature
from toolchain.progress import SILENT, Progress
from toolchain.records.card import Declared
from toolchain.sources import operations, resolve

if TYPE_CHECKING:
    from toolchain.sources.request import Request
    from toolchain.sources.saved_model import Fetched


def pull(request: Request, *, store: Store | None = None, progress: Progress = SILENT) -> Fetched:
    """Fetch a model into the cache, unless it is there already, and pin its digest.

    Args:
        request: The model, and how to fetch it.
        store: The cache; None for the user's.
        progress: Shows fetching.

    Raises:
        BadInputError: The handle names no model, a local model cannot be read, or the model has no
            signature, input or output of a name that the request has.
        UnreachableError: None of the model's hosts answered.
        SourceError: The host refused, or sent something that is not a model, or not the pinned one.
    """
    fetched = resolve.fetch(request, store=store or Store.default(), progress=progress)
    named = request.named
    if named.signature or named.input or named.output:
        operations.check(fetched, progress)
        names = Declared(signature=named.signature, input=named.input, output=named.output)
        with tensorflow.quiet():
            signature.require(fetched.path, fetched.source, names)
    return fetched
