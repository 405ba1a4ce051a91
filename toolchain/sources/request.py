"""The user's request for a model, and the parsing of its handle."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property
from pathlib import Path

from toolchain import plugins
from toolchain.errors import BadInputError
from toolchain.formats.format import NOTHING_NAMED, Named
from toolchain.records.site_files import MARK
from toolchain.sources import (
    catalogue,
    hugging_face,
    kaggle,
    keras_applications,
    local,
    retries,
    suggestions,
    tfhub,
    tfjs_address,
)


class Kind(Enum):
    """Where a model comes from."""

    CATALOGUE = "catalogue"
    TFHUB = "TF Hub"
    KAGGLE = "Kaggle"
    TFJS = "TF.js"
    HF = "Hugging Face"
    KERAS = "Keras"
    LOCAL = "local"
    EMBEDDED = "embedded"
    PLUGIN = "plugin"


@dataclass(frozen=True)
class Handle:
    """The model that a user's word means."""

    kind: Kind
    name: str
    """In canonical form: a catalogue name, a TF Hub URL, Kaggle's
    `owner/model/framework/variation`, `hf:owner/name`, `keras:Name`, a path, or a word with a
    plugin's prefix."""
    plugin: plugins.Plugin | None = None
    """The plugin that handles the word, if one does."""

    @property
    def path(self) -> Path:
        """The path of a local model."""
        return _path(self.name)


@dataclass(frozen=True)
class Request:
    """Which model to get, and how."""

    model: str
    """A catalogue name, a TF Hub URL, a Kaggle handle, a path, or a word with a plugin's prefix."""
    lockfile: Path = field(default_factory=lambda: Path("toolchain.lock.json"))
    """The lock file that holds the digests of models fetched before."""
    update_pin: bool = False
    """Replace another digest in the lock file."""
    sha256: str | None = None
    """The digest that the user expects, if any."""
    mirror: str | None = None
    """A base URL to use instead of https://tfhub.dev."""
    policy: retries.NetworkPolicy = field(default_factory=retries.NetworkPolicy)
    patient: bool = True
    """Try a host again even if it was unreachable a few minutes ago."""
    trust: bool = False
    """Allow the model to run code of its author."""
    named: Named = NOTHING_NAMED
    """The parts of the model that the user names."""

    @cached_property
    def handle(self) -> Handle:
        """The model that `model` names.

        Raises:
            BadInputError: It names no model; the message suggests similar names.
            PluginError: Two plugins handle it.
        """
        return parse(self.model)

    @property
    def site(self) -> Path | None:
        """The built site if `model` is its folder; None if `model` names a model."""
        folder = Path(self.model)
        return folder if (folder / MARK).is_file() else None


def parse(model: str) -> Handle:
    """Return the model that a user's word means.

    Raises:
        BadInputError: It means none; the message suggests similar names and how to use a model of
            one's own.
        PluginError: Two plugins handle it.
    """
    if model in ("embedded", catalogue.EMBEDDED):
        return Handle(Kind.EMBEDDED, catalogue.EMBEDDED)
    if model in catalogue.ENTRIES:
        return Handle(Kind.CATALOGUE, model)
    if remote := _remote(model):
        return remote
    if plugin := plugins.answering(plugins.SOURCES, model):
        return Handle(Kind.PLUGIN, model, plugin)
    if "://" in model:
        raise BadInputError(
            f"{model} is not an address that this tool can read; give an http(s) URL or a path"
        )
    if _looks_like_path(model):
        return Handle(Kind.LOCAL, model)
    hint = suggestions.for_path(_path(model), local.SUFFIXES) or suggestions.for_name(model)
    raise BadInputError(
        f"{model!r} is not a model of the catalogue, a URL or an existing path; {hint}"
    )


def _remote(model: str) -> Handle | None:
    """Return the model of a host that a word means, or None."""
    if kaggle.recognises(model):
        return Handle(Kind.KAGGLE, kaggle.canonical(model))
    if keras_applications.recognises(model):
        return Handle(Kind.KERAS, keras_applications.canonical(model))
    if hugging_face.recognises(model):
        return Handle(Kind.HF, hugging_face.canonical(model))
    if model.startswith(("http://", "https://")):
        kind = Kind.TFJS if tfjs_address.recognises(model) else Kind.TFHUB
        return Handle(kind, tfhub.canonical(model))
    return None


def _looks_like_path(model: str) -> bool:
    try:
        there = _path(model).exists()
    except OSError:  # for example, the name is too long
        there = False
    return there or model.endswith(local.SUFFIXES) or "/" in model


def _path(model: str) -> Path:
    try:
        return Path(model).expanduser()
    except RuntimeError:  # there is no such user
        return Path(model)
