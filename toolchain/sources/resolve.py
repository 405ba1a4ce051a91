"""From what the user typed to a SavedModel: which source is meant, and asking it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from toolchain import plugins
from toolchain.errors import BadInputError, PinMismatchError, SourceError, UnreachableError
from toolchain.sources import (
    catalogue,
    download,
    embedded,
    kaggle,
    local,
    lockfile,
    network,
    saved_model,
    suggestions,
    tfhub,
)

if TYPE_CHECKING:
    from toolchain.cache.store import Store
    from toolchain.progress import Progress


class Kind(Enum):
    """Where a model comes from."""

    CATALOGUE = "catalogue"
    TFHUB = "TF Hub"
    KAGGLE = "Kaggle"
    LOCAL = "local"
    EMBEDDED = "embedded"
    PLUGIN = "plugin"


@dataclass(frozen=True)
class Request:
    """How to ask the outside world for a model."""

    model: str
    """A catalogue name, a TF Hub URL, a Kaggle handle, a path, or a word of a plugin's."""
    lockfile: Path = field(default_factory=lambda: Path("toolchain.lock.json"))
    """The lock file that holds the digests of models fetched before."""
    update_pin: bool = False
    sha256: str | None = None
    """The digest the user expects, if any."""
    mirror: str | None = None
    """A base URL that stands in for https://tfhub.dev."""
    policy: network.NetworkPolicy = field(default_factory=network.NetworkPolicy)
    patient: bool = True
    """Ask a host again even if it was out of reach a few minutes ago."""
    trust: bool = False
    """Let the model run code of its author's, where loading it does so."""


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


def kind_of(model: str) -> Kind:
    """Tell which source a user's word means.

    Raises:
        BadInputError: It means none; the nearest names are offered, and how to bring another model.
        PluginError: Two plugins answer for it.
    """
    if model in ("embedded", catalogue.EMBEDDED):
        return Kind.EMBEDDED
    if model in catalogue.ENTRIES:
        return Kind.CATALOGUE
    if kaggle.recognises(model):
        return Kind.KAGGLE
    if model.startswith(("http://", "https://")):
        return Kind.TFHUB
    if plugins.answering(plugins.SOURCES, model):
        return Kind.PLUGIN
    if "://" in model:
        raise BadInputError(
            f"{model} is no address this tool reads; give an http(s) URL, or a path without one"
        )
    if _looks_like_path(model):
        return Kind.LOCAL
    hint = suggestions.for_path(_path(model), local.SUFFIXES) or suggestions.for_name(model)
    raise BadInputError(
        f"{model!r} is no model of the catalogue, no URL and no path that exists; {hint}"
    )


def _looks_like_path(model: str) -> bool:
    try:
        there = _path(model).exists()
    except OSError:  # a name that is too long, for one
        there = False
    return there or model.endswith(local.SUFFIXES) or "/" in model


def _path(model: str) -> Path:
    try:
        return Path(model).expanduser()
    except RuntimeError:  # there is no such user
        return Path(model)


def fetch(request: Request, *, store: Store, progress: Progress) -> saved_model.Fetched:
    """Get the model that was asked for, and no other.

    Raises:
        BadInputError: The word means no source, or a local model cannot be read.
        UnreachableError: No host that has it answered.
        SourceError: It was refused, or what came is no model, or not the pinned one.
    """
    kind = kind_of(request.model)
    if kind is Kind.EMBEDDED:
        fetched = embedded.fetch(store=store, progress=progress)
    elif kind is Kind.LOCAL:
        fetched = local.fetch(
            _path(request.model), store=store, progress=progress, trusted=request.trust
        )
    elif kind is Kind.CATALOGUE:
        fetched = _fetch_named(request, store, progress)
    elif kind is Kind.PLUGIN:
        fetched = _fetch_by_plugin(request, store, progress)
    else:
        fetched = _fetch_remote(kind, request.model, request, store, progress)
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
        if kind_of(request.model) is not Kind.CATALOGUE or isinstance(error, PinMismatchError):
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


def _fetch_named(request: Request, store: Store, progress: Progress) -> saved_model.Fetched:
    """Ask TF Hub, then Kaggle."""
    entry = catalogue.ENTRIES[request.model]
    faults: list[SourceError] = []
    for kind, handle in ((Kind.TFHUB, entry.tfhub), (Kind.KAGGLE, entry.kaggle)):
        if handle is None:
            continue
        try:
            fetched = _fetch_remote(kind, handle, request, store, progress)
        except PinMismatchError:
            raise
        except SourceError as error:
            faults.append(error)
            continue
        return replace(fetched, declared=entry.declare())
    unreachable = all(isinstance(fault, UnreachableError) for fault in faults)
    raise (UnreachableError if unreachable else SourceError)("; ".join(map(str, faults)))


def _fetch_by_plugin(request: Request, store: Store, progress: Progress) -> saved_model.Fetched:
    """Let a plugin get the model; see that it is one, and check its pin."""
    plugin = plugins.answering(plugins.SOURCES, request.model)
    assert plugin is not None  # noqa: S101 - `kind_of` has found it
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
    kind: Kind, handle: str, request: Request, store: Store, progress: Progress
) -> saved_model.Fetched:
    """Ask one host, unless it is known to be out of reach; check the pin of what came."""
    if kind is Kind.TFHUB:
        source, host = tfhub.canonical(handle), tfhub.origin_of(handle, request.mirror)
    else:
        source, host = kaggle.canonical(handle), kaggle.origin()
    if (
        not request.patient
        and network.recently_unreachable(store, host)
        and not download.is_kept(store, kind.name.lower(), source)
    ):
        raise UnreachableError(
            f"{host} did not answer a few minutes ago and is not asked again so soon "
            f"(`toolchain pull {request.model}` asks at once)"
        )
    try:
        if kind is Kind.TFHUB:
            fetched = tfhub.fetch(
                handle, store=store, policy=request.policy, progress=progress, mirror=request.mirror
            )
        else:
            fetched = kaggle.fetch(handle, store=store, policy=request.policy, progress=progress)
    except UnreachableError:
        network.remember_unreachable(store, host)
        raise
    network.forget_unreachable(store, host)
    _check_pin(fetched, request)
    return fetched
