"""Repositories of Hugging Face that hold a model in a format that this tool reads.

The hub's public API answers a GET of `/api/models/OWNER/NAME/revision/REVISION?blobs=true` with the
commit and its files; `/OWNER/NAME/resolve/COMMIT/PATH` is a file. Both are plain GETs, so the
project's own client with its limits makes them.
"""

from __future__ import annotations

import functools
import json
import os
import re
import urllib.parse
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from toolchain import digest
from toolchain.errors import BadInputError
from toolchain.formats import (
    exported_settings,
    keras_file,
    onnx_model,
    tfjs_files,
    tflite_model,
)
from toolchain.formats.archive import MAX_BYTES
from toolchain.records.card import Declared
from toolchain.sources import download, local
from toolchain.sources.retries import AttemptError
from toolchain.sources.saved_model import GRAPH
from toolchain.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.formats.format import Named
    from toolchain.progress import Progress
    from toolchain.sources.download import Get
    from toolchain.sources.retries import NetworkPolicy
    from toolchain.sources.saved_model import Fetched

PREFIX = "hf:"
_HUB = "https://huggingface.co"
_ANSWER_BYTES = 16 << 20  # the most bytes of the list of files; chosen
_SHOWN = 8  # models that a message lists, at most
_FILES = (*keras_file.SUFFIXES, *onnx_model.SUFFIXES)
_MADE_FROM_THOSE = tflite_model.SUFFIXES
"""Taken where there is no other model, because its numbers may be rounded already."""
_WEIGHTS_ALONE = "tf_model.h5"
"""How the library transformers names weights without a network."""
_TORCH = (".safetensors", ".bin", ".pt", ".pth", ".ckpt")
_SLUG = r"[A-Za-z0-9](?:[\w.-]*\w)?"
_FORM = re.compile(
    rf"(?P<repository>{_SLUG}/{_SLUG})(?:@(?P<revision>\w[\w.-]*))?(?:/(?P<path>.+))?", re.ASCII
)
_PAGE = re.compile(
    rf"https?://(?:www\.)?huggingface\.co/(?P<repository>{_SLUG}/{_SLUG})"
    r"(?:/(?:tree|blob|resolve)/(?P<revision>\w[\w.-]*)(?P<path>/[^?#]+)?)?(?:[?#].*)?",
    re.ASCII,
)
_SITE = frozenset({"datasets", "spaces", "docs", "papers", "collections", "blog", "api"})
"""Pages of the hub whose addresses have the form of a repository's."""
_COMMIT = re.compile(r"[0-9a-f]{40}")


@dataclass(frozen=True)
class _File:
    """A file of a repository."""

    size: int | None
    sha256: str | None


def recognises(handle: str) -> bool:
    """Tell whether a word means a repository: a handle, or the address of its page or file."""
    text = handle.strip()
    return text.startswith(PREFIX) or _on_page(text) is not None


def canonical(handle: str) -> str:
    """Return a handle in its canonical form, `hf:owner/name[@revision][/path]`.

    It may be given in that form, or as the address of a page of the repository.

    Raises:
        BadInputError: It is not a handle.
    """
    text = (_on_page(handle.strip()) or handle.strip()).rstrip("/")
    match = _FORM.fullmatch(text.removeprefix(PREFIX))
    if match is None or (match["path"] and not _is_safe(match["path"])):
        raise BadInputError(
            f"{handle!r} is not a repository of Hugging Face; write {PREFIX}owner/name, or "
            f"{PREFIX}owner/name@revision/path/of/the/model"
        )
    return f"{PREFIX}{match[0]}"


def origin() -> str:
    """Return the hub's address; HF_ENDPOINT, which redirects Hugging Face's tools, replaces it.

    Raises:
        BadInputError: HF_ENDPOINT is not an http(s) address.
    """
    address = os.environ.get("HF_ENDPOINT") or _HUB
    if not address.startswith(("http://", "https://")):
        raise BadInputError(
            f"HF_ENDPOINT is {address!r}, which is not an http(s) address; unset that variable to "
            "ask Hugging Face itself"
        )
    return address.rstrip("/")


def fetch(
    handle: str,
    *,
    store: Store,
    policy: NetworkPolicy,
    progress: Progress,
    named: Named,
    trusted: bool = False,
) -> Fetched:
    """Return the model of a repository as a SavedModel, downloaded unless a copy is cached.

    Only the model's own files and its settings are downloaded. A handle without a revision means
    the branch `main` at its first fetch, and the same commit as long as that copy is cached.

    Args:
        handle: The handle in canonical form.
        store: The cache.
        policy: Time limits and retries.
        progress: Told of the download, and of the commit.
        named: The parts of the model that the user names.
        trusted: Whether the model may run code of its author.

    Raises:
        BadInputError: The repository holds no model that can be read, or several; or the
            environment names a service, a proxy or certificates that cannot be used.
        UnreachableError: Nothing answered.
        SourceError: There is no such repository, it needs consent, or its files are not whole.
    """
    match = _FORM.fullmatch(handle.removeprefix(PREFIX))
    assert match is not None  # noqa: S101 - it is canonical
    repository, hub = match["repository"], origin()
    revision = match["revision"] or "main"

    def attempt(scratch: Path, get: Get) -> Path:
        token = os.environ.get("HF_TOKEN", "").strip()
        get = functools.partial(
            get,
            headers={"Authorization": f"Bearer {token}"} if token else None,
            if_refused=f"check its name; if it is private or gated, accept its terms at "
            f"{_HUB}/{repository} and set HF_TOKEN",
        )
        answer = scratch / "repository.json"
        get(
            f"{hub}/api/models/{repository}/revision/{revision}?blobs=true",
            answer,
            limit=_ANSWER_BYTES,
        )
        commit, files = _listed(answer)
        model = _chosen(files, match["path"], handle)
        folder = scratch / commit
        folder.mkdir(exist_ok=True)
        place = f"{hub}/{repository}/resolve/{commit}"
        _get_model(place, model, files, folder, get)
        return folder

    folder = download.through_store(
        "hf",
        handle,
        attempt,
        store=store,
        policy=policy,
        progress=progress,
        fault=fault,
    )
    if match["revision"] != folder.name:
        progress.say(f"{handle} is commit {folder.name} of {repository}")
    model = _model_in(folder)
    try:
        found = local.fetch(model, store=store, progress=progress, trusted=trusted, named=named)
    except BadInputError as error:
        said = str(error).replace(str(model), handle).replace(str(folder), handle)
        raise BadInputError(said) from error
    name = printable(repository.rpartition("/")[2])
    # The file is often named `model`, and the folder by its commit.
    declared = Declared(name=name).over(found.declared)
    # Whether other formats prepare photos inside the model is not said there, so labels alone.
    labels = exported_settings.beside(folder / GRAPH).labels
    return replace(
        found,
        source=handle,
        sha256=digest.of_tree(folder),
        declared=declared.over(Declared(labels=labels)),
    )


def fault(folder: Path) -> str | None:
    """Return what is missing of a downloaded folder, as one clause, or None.

    Each file has been compared with the repository's list, so none is missing if there are any.
    """
    return None if any(folder.iterdir()) else "model"


def _on_page(text: str) -> str | None:
    """Return the handle that the address of a page means; None for anything else."""
    match = _PAGE.fullmatch(text.rstrip("/"))
    if match is None or match["repository"].partition("/")[0] in _SITE:
        return None
    revision = f"@{match['revision']}" if match["revision"] else ""
    path = urllib.parse.unquote(match["path"] or "")
    return f"{PREFIX}{match['repository']}{revision}{path}"


def _listed(answer: Path) -> tuple[str, dict[str, _File]]:
    """Return the commit, and its files by path."""
    try:
        content: dict[str, Any] = json.loads(answer.read_bytes())
        commit = content["sha"]
        files = {
            str(each["rfilename"]): _File(each.get("size"), (each.get("lfs") or {}).get("sha256"))
            for each in content["siblings"]
        }
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError) as error:
        raise AttemptError("the server does not send a list of the repository's files") from error
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise AttemptError("the server does not say which commit it sends")
    for file in files.values():
        if not isinstance(file.size, int | None) or not isinstance(file.sha256, str | None):
            raise AttemptError("the server lists a file without a proper size or digest")
    return commit, files


def _is_safe(name: str) -> bool:
    """Tell whether a path stays inside the folder that it is joined to, on any system."""
    parts = name.split("/")
    return name.isprintable() and not any(
        part in ("", ".", "..") or "\\" in part or ":" in part for part in parts
    )


def _chosen(files: Mapping[str, _File], wanted: str | None, handle: str) -> str:
    """Return the path of the one model of a repository, or of the one that the user names."""
    models = sorted(name for name in files if _is_safe(name) and _is_model(name))
    others = sorted(name for name in files if _is_safe(name) and name.endswith(_MADE_FROM_THOSE))
    models = [wanted] if wanted in others else models or others
    if wanted:
        # A folder is a usual name of a SavedModel or a TF.js model.
        inside = (wanted, f"{wanted}/{GRAPH}", f"{wanted}/{tfjs_files.NAME}")
        if found := [name for name in inside if name in models]:
            return found[0]
    elif len(models) == 1:
        return models[0]
    base = handle.removesuffix(f"/{wanted}") if wanted else handle
    if models:
        listed = ", ".join(models[:_SHOWN]) + (" and more" if len(models) > _SHOWN else "")
        said = f"no model at {wanted}; it holds" if wanted else f"{len(models)} models:"
        raise BadInputError(f"{base} holds {said} {listed}; give one, such as {base}/{models[0]}")
    if any(name.endswith(_TORCH) for name in files):
        raise BadInputError(
            f"{base} holds weights of PyTorch alone; export them on your machine with "
            f"`optimum-cli export onnx --model {base.removeprefix(PREFIX).partition('@')[0]} "
            "--task image-classification exported`, then give --model exported/model.onnx"
        )
    raise BadInputError(
        f"{base} holds no TF.js model, Keras file, SavedModel, ONNX or TFLite file; choose a "
        "repository that does"
    )


def _is_model(name: str) -> bool:
    last = PurePosixPath(name).name
    return last in (GRAPH, tfjs_files.NAME) or (last.endswith(_FILES) and last != _WEIGHTS_ALONE)


def _get_model(place: str, model: str, files: Mapping[str, _File], folder: Path, get: Get) -> None:
    """Download a model's files and its settings into one folder."""
    base, last = model.rpartition("/")[0], PurePosixPath(model).name
    prefix = f"{base}/" if base else ""
    wanted = [model]
    if last == GRAPH:
        kept = (f"{prefix}variables/", f"{prefix}assets/")
        wanted += [name for name in files if name.startswith(kept)]
    elif last.endswith(".onnx"):  # large weights lie beside it, as model.onnx_data
        wanted += [name for name in files if name.startswith(model) and name != model]
    pairs = {name: name.removeprefix(prefix) for name in wanted}
    for (
        name
    ) in exported_settings.NAMES:  # those of the model's own folder come before the repository's
        if found := next((each for each in (f"{prefix}{name}", name) if each in files), None):
            pairs[found] = name
    _get(place, pairs, files, folder, get)
    if last == tfjs_files.NAME:
        try:
            groups = tfjs_files.sizes(folder / last)
        except BadInputError as error:
            raise AttemptError(str(error).replace(f"{folder}/", "")) from error
        _get(
            place,
            {f"{prefix}{name}": name for names, _ in groups for name in names},
            files,
            folder,
            get,
        )


def _get(
    place: str, pairs: Mapping[str, str], files: Mapping[str, _File], folder: Path, get: Get
) -> None:
    """Download files of a repository, each to a path below the folder, and check them."""
    for name in pairs:
        if name not in files:
            raise AttemptError(f"the repository lacks {printable(name)}, which its model needs")
        if not _is_safe(name):
            raise AttemptError(f"the server lists a file outside its folder, {printable(name)}")
    total = sum(files[name].size or 0 for name in pairs)
    if total > MAX_BYTES or any((files[name].size or 0) < 0 for name in pairs):
        raise AttemptError(f"the model's files have {total:,} bytes, of at most {MAX_BYTES:,}")
    for name, relative in pairs.items():
        path, size = folder / relative, files[name].size
        path.parent.mkdir(parents=True, exist_ok=True)
        get(f"{place}/{urllib.parse.quote(name)}", path, limit=MAX_BYTES if size is None else size)
        if size is not None and path.stat().st_size != size:
            raise AttemptError(f"{name} has not the {size:,} bytes that are listed", transient=True)
        if (expected := files[name].sha256) and digest.of_file(path) != expected:
            raise AttemptError(f"{name} has not the SHA-256 that is listed", transient=True)


def _model_in(folder: Path) -> Path:
    """Return the model of a downloaded folder: a file, or the folder itself."""
    ends = (*_FILES, *_MADE_FROM_THOSE)
    return next((each for each in sorted(folder.iterdir()) if each.name.endswith(ends)), folder)
