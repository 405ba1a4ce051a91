"""From a request to a SavedModel: asks the source that it names."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

from toolchain import plugins
from toolchain.errors import PinMismatchError, SourceError, UnreachableError
from toolchain.sources import (
    catalogue,
    download,
    embedded,
    kaggle,
    local,
    lockfile,
    retries,
    saved_model,
    tfhub,
)
from toolchain.sources.request import Handle, Kind, Request

if TYPE_CHECKING:
    from toolchain.cache.store import Store
    from toolchain.progress import Progress


@dataclass(frozen=True)
class Outcome:
    """The model that was really got, and a sentence where it is not the one asked for."""

    fetched: saved_model.Fetched
    notice: str | None = None


class Source(Protocol):
    """What an entry point of the group `toolchain.sources` names."""

    def __call__(
        self, request: Request, /, *, store: Store, progress: Progress
    ) -> saved_model.Fetched:
        """Get the model that `request.model` names, prefix included.

        Args:
            request: What is asked for, and how. `trust` is for the caller to apply.
            store: The cache; `store.result` keeps what was fetched or converted.
            progress: Hears of the download.

        Raises:
            ToolchainError: It cannot be got; one sentence for the user.
        """


def fetch(request: Request, *, store: Store, progress: Progress) -> saved_model.Fetched:
    """Get the model that was asked for, and no other.

    Raises:
        BadInputError: The word means no source, or a local model cannot be read.
        UnreachableError: No host that has it answered.
        SourceError: It was refused, or what came is no model, or not the pinned one.
    """
    handle = request.handle
    kind = handle.kind
    if kind is Kind.EMBEDDED:
        fetched = embedded.fetch(store=store, progress=progress)
    elif kind is Kind.LOCAL:
        fetched = local.fetch(handle.path, store=store, progress=progress, trusted=request.trust)
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
            f"{request.model} has the SHA-256 {fetched.sha256}, not the {request.sha256} that was "
            "asked for; check where it comes from"
        )
    return fetched


def fetch_or_embedded(request: Request, *, store: Store, progress: Progress) -> Outcome:
    """Get a model of the catalogue, or the embedded one where no host gives it.

    Only a name of the catalogue falls back: who gives a URL or a path means that model.
    Nor does a model that came with other bytes than it should.

    Raises:
        ToolchainError: As :func:`fetch`.
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
        return Outcome(embedded.fetch(store=store, progress=progress), notice)


class _DigestError(SourceError):
    """The model came with another digest than the user expects."""


def _fetch_named(
    entry: catalogue.Entry, request: Request, store: Store, progress: Progress
) -> saved_model.Fetched:
    """Ask TF Hub, then Kaggle."""
    faults: list[SourceError] = []
    for kind, name in ((Kind.TFHUB, entry.tfhub), (Kind.KAGGLE, entry.kaggle)):
        if name is None:
            continue
        try:
            fetched = _fetch_remote(Handle(kind, name), request, store, progress)
        except PinMismatchError:
            raise
        except SourceError as error:
            faults.append(error)
            continue
        return replace(fetched, declared=entry.declare())
    unreachable = all(isinstance(fault, UnreachableError) for fault in faults)
    raise (UnreachableError if unreachable else SourceError)("; ".join(map(str, faults)))


def _fetch_by_plugin(
    plugin: plugins.Plugin | None, request: Request, store: Store, progress: Progress
) -> saved_model.Fetched:
    """Let a plugin get the model; see that it is one, and check its pin."""
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
    """Ask one host, unless it is known to be out of reach; check the pin of what came."""
    is_hub = handle.kind is Kind.TFHUB
    host = tfhub.origin_of(handle.name, request.mirror) if is_hub else kaggle.origin()
    if (
        not request.patient
        and retries.recently_unreachable(store, host)
        and not download.is_kept(store, handle.kind.name.lower(), handle.name)
    ):
        raise UnreachableError(
            f"{host} did not answer a few minutes ago and is not asked again so soon "
            f"(`toolchain pull {request.model}` asks at once)"
        )
    try:
        if is_hub:
            fetched = tfhub.fetch(
                handle.name,
                store=store,
                policy=request.policy,
                progress=progress,
                mirror=request.mirror,
            )
        else:
            fetched = kaggle.fetch(
                handle.name, store=store, policy=request.policy, progress=progress
            )
    except UnreachableError:
        retries.remember_unreachable(store, host)
        raise
    retries.forget_unreachable(store, host)
    _check_pin(fetched, request)
    return fetched
