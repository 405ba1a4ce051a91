"""TF.js models at an http(s) address of their `model.json`, as a deployed page loads them.

The weight files lie beside it. Their addresses are formed as TF.js forms them (`tfjs-core`,
`src/io/http.ts`): relative to the address that was given, with its query.
"""

from __future__ import annotations

import contextlib
import urllib.parse
from dataclasses import replace
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.formats import tfjs_files
from toolchain.records.card import Declared
from toolchain.sources import download, local
from toolchain.sources.retries import AttemptError
from toolchain.text import printable

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.sources.download import Get
    from toolchain.sources.retries import NetworkPolicy
    from toolchain.sources.saved_model import Fetched

_METADATA = "metadata.json"
"""Beside the models that Teachable Machine hosts; it holds their labels."""
_MAX_METADATA = 16 << 20  # bytes; chosen


def recognises(address: str) -> bool:
    """Tell whether an http(s) address is that of a TF.js model."""
    with contextlib.suppress(ValueError):
        return urllib.parse.urlsplit(address).path.endswith(".json")
    return False


def fetch(
    address: str, *, store: Store, policy: NetworkPolicy, progress: Progress, trusted: bool = False
) -> Fetched:
    """Return the model at an address as a SavedModel, downloaded unless a whole copy is cached.

    Args:
        address: The address of its `model.json`, in canonical form.
        store: The cache.
        policy: Time limits and retries.
        progress: Told of the download.
        trusted: Whether the model may run code of its author.

    Raises:
        BadInputError: What came cannot be read as a classifier.
        UnreachableError: Nothing answered.
        SourceError: The model does not exist, or what came is not a TF.js model.
    """

    def attempt(scratch: Path, get: Get) -> Path:
        folder = scratch / "model"
        folder.mkdir(exist_ok=True)
        place = folder / tfjs_files.NAME
        get(address, place, limit=tfjs_files.MAX_TOPOLOGY)
        try:
            names = tfjs_files.names(place)
        except BadInputError as error:
            raise AttemptError(_said(error, folder)) from error
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            get(_beside(address, name), folder / name)
        with contextlib.suppress(AttemptError):  # most hosts have none
            get(_beside(address, _METADATA), folder / _METADATA, limit=_MAX_METADATA)
        return folder

    folder = download.through_store(
        "tfjs", address, attempt, store=store, policy=policy, progress=progress
    )
    try:
        found = local.fetch(folder, store=store, progress=progress, trusted=trusted)
    except BadInputError as error:
        raise BadInputError(
            str(error).replace(str(folder / tfjs_files.NAME), address).replace(str(folder), address)
        ) from error
    name = found.declared.name
    if name == folder.name:  # of the cache's folder
        name = printable(
            urllib.parse.urlsplit(address).path.strip("/").rpartition("/")[0] or "model"
        )
    return replace(found, source=address, declared=Declared(name=name).over(found.declared))


def _beside(address: str, name: str) -> str:
    parts = urllib.parse.urlsplit(address)
    folder = parts.path.rpartition("/")[0]
    return parts._replace(path=f"{folder}/{urllib.parse.quote(name)}").geturl()


def _said(error: BadInputError, folder: Path) -> str:
    return f"what came cannot be read: {str(error).replace(f'{folder}/', '')}"
