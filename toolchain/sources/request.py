"""What the user asks for, and which model their word means."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path

from toolchain import plugins
from toolchain.errors import BadInputError
from toolchain.records.site_files import MARK
from toolchain.sources import catalogue, kaggle, local, retries, suggestions, tfhub


class Kind(Enum):
    """Where a model comes from."""

    CATALOGUE = "catalogue"
    TFHUB = "TF Hub"
    KAGGLE = "Kaggle"
    LOCAL = "local"
    EMBEDDED = "embedded"
    PLUGIN = "plugin"


@dataclass(frozen=True)
class Handle:
    """Which model a user's word means."""

    kind: Kind
    name: str
    """The one way to write it: a catalogue name, a TF Hub URL, `owner/model/framework/variation`
    of Kaggle, a path, or a plugin's word."""
    plugin: plugins.Plugin | None = None
    """The one that answers for it."""

    @property
    def path(self) -> Path:
        """Where a local model lies."""
        return _path(self.name)


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
    policy: retries.NetworkPolicy = field(default_factory=retries.NetworkPolicy)
    patient: bool = True
    """Ask a host again even if it was out of reach a few minutes ago."""
    trust: bool = False
    """Let the model run code of its author's, where loading it does so."""

    @cached_property
    def handle(self) -> Handle:
        """What `model` names.

        Raises:
            BadInputError: It names nothing; the nearest names are offered.
            PluginError: Two plugins answer for it.
        """
        return parse(self.model)

    @property
    def site(self) -> Path | None:
        """The built site that `model` is the folder of; None: it names a model."""
        folder = Path(self.model)
        return folder if (folder / MARK).is_file() else None


def parse(model: str) -> Handle:
    """Read which model a user's word means.

    Raises:
        BadInputError: It means none; the nearest names are offered, and how to bring another model.
        PluginError: Two plugins answer for it.
    """
    if model in ("embedded", catalogue.EMBEDDED):
        return Handle(Kind.EMBEDDED, catalogue.EMBEDDED)
    if model in catalogue.ENTRIES:
        return Handle(Kind.CATALOGUE, model)
    if kaggle.recognises(model):
        return Handle(Kind.KAGGLE, kaggle.canonical(model))
    if model.startswith(("http://", "https://")):
        return Handle(Kind.TFHUB, tfhub.canonical(model))
    if plugin := plugins.answering(plugins.SOURCES, model):
        return Handle(Kind.PLUGIN, model, plugin)
    if "://" in model:
        raise BadInputError(
            f"{model} is no address this tool reads; give an http(s) URL, or a path without one"
        )
    if _looks_like_path(model):
        return Handle(Kind.LOCAL, model)
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
