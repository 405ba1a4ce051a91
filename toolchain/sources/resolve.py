"""From a request to a SavedModel: calls the source that the handle names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from toolchain import plugins
from toolchain.errors import PinMismatchError, SourceError, UnreachableError
from toolchain.sources import (
    catalogue,
    download,
    hugging_face,
    kaggle,
    keras_applications,
    local,
    lockfile,
    packaged,
    retries,
    saved_model,
    tfhub,
    tfjs_address,
)
from toolchain.sources.request import Handle, Kind, Request

if TYPE_CHECKING:
    from toolchain.cache.store import Store
    from toolchain.progress import Progress


@dataclass(frozen=True)
class Outcome:
    """The model that was fetched, and a sentence if it is a fallback."""

    fetched: saved_model.Fetched
    notice: str | None = None


class Source(Protocol):
    """What an entry point of the group `toolchain.sources` names."""

    def __call__(
        self, request: Request, /, *, store: Store, progress: Progress
    ) -> saved_model.Fetched:
        """Fetch the model that `request.model` names; the prefix is still part of it.

        Args:
            request: Which model to fetch, and how. Its `trust` is applied by the caller.
            store: The cache; `store.result` caches what was fetched or converted.
            progress: Told of the download.

        Raises:
            ToolchainError: The model cannot be fetched; the message is one sentence for the user.
        """


def fetch(request: Request, *, store: Store, progress: Progress) -> saved_model.Fetched:
    """Fetch the requested model, without a fallback.

    Raises:
        BadInputError: The handle names no model, or a local model cannot be read.
        UnreachableError: No host that has the model answered.
        SourceError: A host refused, or what came is not a model, or not the pinned one.
    """
    handle = request.handle
    kind = handle.kind
    if kind is Kind.EMBEDDED:
        fetched = packaged.fetch(handle.name, store=store, progress=progress)
    elif kind is Kind.LOCAL:
        fetched = local.fetch(
            handle.path,
            store=store,
            progress=progress,
            trusted=request.trust,
            named=request.named,
        )
    elif kind is Kind.CATALOGUE:
        fetched = _fetch_named(catalogue.ENTRIES[handle.name], request, store, progress)
    elif kind is Kind.PLUGIN:
        fetched = _fetch_by_plugin(handle.plugin, request, store, progress)
    else:
        fetched = _fetch_remote(handle, request, store, progress)
    if kind in (Kind.CATALOGUE, Kind.TFHUB, Kind.KAGGLE, Kind.PLUGIN):
        fetched = replace(fetched, trusted=request.trust)
    if request.sha256 and fetched.sha256 != request.sha256.lower():
        raise _DigestError(
            f"checksum mismatch: {request.model} has the SHA-256 {fetched.sha256}, not the "
            f"{request.sha256} that was asked for; check where it comes from"
        )
    return fetched


def fetch_or_embedded(request: Request, *, store: Store, progress: Progress) -> Outcome:
    """Fetch the requested model, with the embedded model as fallback for catalogue names.

    There is no fallback for a URL or a path, which mean that very model, nor after a checksum
    mismatch.

    Raises:
        ToolchainError: As for :func:`fetch`.
    """
    try:
        return Outcome(fetch(request, store=store, progress=progress))
    except _DigestError:
        raise
    except SourceError as error:
        if request.handle.kind is not Kind.CATALOGUE or isinstance(error, PinMismatchError):
            raise
        progress.warn(str(error))
        progress.warn(
            f"building the embedded {catalogue.EMBEDDED} instead of {request.model}; "
            "--no-fallback makes this an error"
        )
        notice = (
            f"{request.model} could not be fetched, so this page was built with the embedded "
            f"{catalogue.EMBEDDED} instead."
        )
        return Outcome(packaged.fetch(catalogue.EMBEDDED, store=store, progress=progress), notice)


class _DigestError(SourceError):
    """Checksum mismatch: the model has another digest than the user expects."""


def _fetch_named(
    entry: catalogue.Entry, request: Request, store: Store, progress: Progress
) -> saved_model.Fetched:
    """Take a catalogue model from an installed package, or from the first host that has it."""
    if packaged.is_installed(entry.name):
        return packaged.fetch(entry.name, store=store, progress=progress)
    faults: list[SourceError] = []
    for kind, name in (
        (Kind.TFHUB, entry.tfhub),
        (Kind.KAGGLE, entry.kaggle),
        (Kind.HF, entry.hugging_face and f"{hugging_face.PREFIX}{entry.hugging_face}"),
    ):
        if name is None:
            continue
        try:
            fetched = _fetch_remote(Handle(kind, name), request, store, progress)
        except PinMismatchError:
            raise
        except SourceError as error:
            faults.append(error)
            continue
        # Hugging Face's own files tell how to prepare photos.
        declared = entry.declare().over(fetched.declared)
        return replace(fetched, declared=declared if kind is Kind.HF else entry.declare())
    unreachable = all(isinstance(fault, UnreachableError) for fault in faults)
    raise (UnreachableError if unreachable else SourceError)("; ".join(map(str, faults)))


def _fetch_by_plugin(
    plugin: plugins.Plugin | None, request: Request, store: Store, progress: Progress
) -> saved_model.Fetched:
    """Let a plugin fetch the model; check that it is a model and is the pinned one."""
    assert plugin is not None  # noqa: S101 - a handle of that kind has one
    source: Source = plugin.load()
    with plugin.running(f"fetch {request.model}"):
        fetched = source(request, store=store, progress=progress)
    if not isinstance(fetched, saved_model.Fetched):
        raise plugins.PluginError(
            f"{plugin} returned {type(fetched).__name__} for {request.model}, not a Fetched; "
            "update or remove that distribution"
        )
    saved_model.locate(fetched.path, shown=f"what {plugin} returned for {request.model}")
    _check_pin(fetched, request)
    return fetched


def _check_pin(fetched: saved_model.Fetched, request: Request) -> None:
    lockfile.Lockfile.load(request.lockfile).check_or_pin(
        fetched.source, fetched.sha256, update=request.update_pin
    )


def _fetch_remote(
    handle: Handle, request: Request, store: Store, progress: Progress
) -> saved_model.Fetched:
    """Fetch from one host, unless it was unreachable recently, and compare with the lock file."""
    host = _host(handle, request)
    if (
        not request.patient
        and retries.recently_unreachable(store, host)
        and not is_kept(handle, store)
    ):
        raise UnreachableError(
            f"{host} did not answer a few minutes ago, so it is not tried again yet "
            f"(`toolchain pull {request.model}` tries at once)"
        )
    try:
        fetched = _ask(handle, request, store, progress)
    except UnreachableError:
        retries.remember_unreachable(store, host)
        raise
    retries.forget_unreachable(store, host)
    _check_pin(fetched, request)
    return fetched


def is_kept(handle: Handle, store: Store) -> bool:
    """Tell whether a whole copy of a host's model is cached."""
    faults = {Kind.HF: hugging_face.fault, Kind.KERAS: keras_applications.fault}
    kind = handle.kind
    return download.is_kept(store, kind.name.lower(), handle.name, faults.get(kind))


def _host(handle: Handle, request: Request) -> str:
    """Return the host that has a model."""
    if handle.kind is Kind.KAGGLE:
        return kaggle.origin()
    if handle.kind is Kind.HF:
        return hugging_face.origin()
    if handle.kind is Kind.KERAS:
        return keras_applications.origin()
    return tfhub.origin_of(handle.name, request.mirror)


def _ask(handle: Handle, request: Request, store: Store, progress: Progress) -> saved_model.Fetched:
    """Fetch a model from its host, or take the copy in the cache."""
    name, policy = handle.name, request.policy
    if handle.kind is Kind.KAGGLE:
        return kaggle.fetch(name, store=store, policy=policy, progress=progress)
    if handle.kind is Kind.KERAS:
        return keras_applications.fetch(name, store=store, policy=policy, progress=progress)
    if handle.kind is Kind.TFJS:
        return tfjs_address.fetch(
            name,
            store=store,
            policy=policy,
            progress=progress,
            named=request.named,
            trusted=request.trust,
        )
    if handle.kind is Kind.HF:
        return hugging_face.fetch(
            name,
            store=store,
            policy=policy,
            progress=progress,
            named=request.named,
            trusted=request.trust,
        )
    return tfhub.fetch(name, store=store, policy=policy, progress=progress, mirror=request.mirror)
