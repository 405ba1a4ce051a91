"""TF.js models at an http(s) address of their `model.json`, as a deployed page loads them.

The weight files lie beside it. Their addresses are formed as TF.js forms them (`tfjs-core`,
`src/io/http.ts`): relative to the address that was given, with its query. If there is none and
`model.json` was redirected, they are relative to where it came from.
"""

from __future__ import annotations

import contextlib
import urllib.parse
from dataclasses import replace
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.formats import teachable_machine, tfjs_files
from toolchain.formats.format import NOTHING_NAMED, Named
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
_MISSING = (403, 404, 410)  # the statuses of hosts that have no such file; buckets say 403


def recognises(address: str) -> bool:
    """Tell whether an http(s) address is that of a TF.js model."""
    with contextlib.suppress(ValueError):
        return urllib.parse.urlsplit(address).path.endswith(".json")
    return False


def fetch(
    address: str,
    *,
    store: Store,
    policy: NetworkPolicy,
    progress: Progress,
    named: Named = NOTHING_NAMED,
    trusted: bool = False,
) -> Fetched:
    """Return the model at an address as a SavedModel, downloaded unless a whole copy is cached.

    Args:
        address: The address of its `model.json`, in canonical form.
        store: The cache.
        policy: Time limits and retries.
        progress: Told of the download.
        named: The input and output of a graph model that the user names.
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
        came_from = get(address, place, limit=tfjs_files.MAX_TOPOLOGY)
        try:
            groups = tfjs_files.sizes(place)
        except BadInputError as error:
            raise AttemptError(_said(error, folder)) from error
        for names, size in groups:
            left = size
            for name in names:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                _get_beside((address, came_from), name, folder / name, get, left)
                left -= (folder / name).stat().st_size
        _get_metadata((address, came_from), folder / _METADATA, get)
        return folder

    folder = download.through_store(
        "tfjs", address, attempt, store=store, policy=policy, progress=progress
    )
    try:
        found = local.fetch(folder, store=store, progress=progress, trusted=trusted, named=named)
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


def _get_beside(places: tuple[str, str], name: str, path: Path, get: Get, limit: int) -> None:
    """Fetch a file beside `model.json`: by the address that was given, or by the redirected one."""
    asked, came_from = places
    try:
        get(_beside(asked, name), path, limit=limit)
    except AttemptError as error:
        if came_from == asked or error.status not in _MISSING:
            raise
        get(_beside(came_from, name), path, limit=limit)


def _get_metadata(places: tuple[str, str], path: Path, get: Get) -> None:
    """Fetch Teachable Machine's labels; most hosts have none, or send a page for any address."""
    try:
        _get_beside(places, _METADATA, path, get, _MAX_METADATA)
    except AttemptError as error:
        if error.transient:  # without its labels, the model would be kept as another one
            raise
    if not teachable_machine.is_metadata(path):
        path.unlink(missing_ok=True)
        path.with_name(f"{path.name}.etag").unlink(missing_ok=True)


def _beside(address: str, name: str) -> str:
    parts = urllib.parse.urlsplit(address)
    folder = parts.path.rpartition("/")[0]
    return parts._replace(path=f"{folder}/{urllib.parse.quote(name)}").geturl()


def _said(error: BadInputError, folder: Path) -> str:
    return f"what came cannot be read: {str(error).replace(f'{folder}/', '')}"
