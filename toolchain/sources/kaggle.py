"""Models on Kaggle, where TF Hub's have moved.

The files are fetched by `kagglehub` itself, in a child process, under the same guarantees
as in :mod:`toolchain.sources.tfhub`.
"""

from __future__ import annotations

import os
import re
import urllib.parse
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.card import HUB_RANGE
from toolchain.errors import BadInputError
from toolchain.sources import child, download, probe
from toolchain.sources.network import AttemptError
from toolchain.sources.saved_model import Fetched

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.progress import Progress
    from toolchain.sources.network import NetworkPolicy
    from toolchain.store import Store

PREFIX = "kaggle:"
_HOSTS = frozenset({"kaggle.com", "www.kaggle.com"})
_SLUG = r"[A-Za-z0-9](?:[\w.-]*[A-Za-z0-9])?"
_SHORT = re.compile(
    rf"(?P<model>{_SLUG}/{_SLUG})/(?P<framework>{_SLUG})/(?P<variation>{_SLUG})"
    r"(?:/(?P<version>[1-9]\d{0,8}))?",
    re.ASCII,
)
_LONG = re.compile(
    rf"(?P<model>{_SLUG}/{_SLUG})/frameworks/(?P<framework>{_SLUG})"
    rf"/variations/(?P<variation>{_SLUG})(?:/versions/(?P<version>[1-9]\d{{0,8}}))?",
    re.ASCII,
)
# The frameworks whose models are SavedModels, as Kaggle's own client writes them.
_FRAMEWORKS = {"tensorflow1": "tensorFlow1", "tensorflow2": "tensorFlow2"}


def recognises(handle: str) -> bool:
    """Tell whether a handle says of itself that it is Kaggle's.

    The canonical form does, by the framework in its midst: pins and messages show it, and
    what is shown can be pasted.
    """
    text = handle.strip()
    if text.startswith(PREFIX) or _on_page(text) is not None:
        return True
    match = _SHORT.fullmatch(text)
    return match is not None and match["framework"].lower() in _FRAMEWORKS


def canonical(handle: str) -> str:
    """Return `owner/model/framework/variation[/version]` for any way to write it.

    These are `kaggle:` before that form, the form itself, and the address of the model's
    page in its long and short form.

    Raises:
        BadInputError: It names no model, or one for another framework than TensorFlow.
    """
    text = handle.strip()
    path = _on_page(text)
    text = (text.removeprefix(PREFIX) if path is None else path.removeprefix("/models/")).rstrip(
        "/"
    )
    match = _LONG.fullmatch(text) or _SHORT.fullmatch(text)
    if match is None:
        raise BadInputError(
            f"{handle!r} is no Kaggle model; write "
            f"{PREFIX}owner/model/tensorFlow2/variation/version"
        )
    framework = _FRAMEWORKS.get(match["framework"].lower())
    if framework is None:
        raise BadInputError(
            f"{handle} is a model for {match['framework']}, and this tool reads TensorFlow's "
            "SavedModels; choose its tensorFlow2 variation"
        )
    version = f"/{match['version']}" if match["version"] else ""
    return f"{match['model']}/{framework}/{match['variation']}{version}"


def fetch(handle: str, *, store: Store, policy: NetworkPolicy, progress: Progress) -> Fetched:
    """Return the model of a Kaggle handle, downloaded unless a whole copy is kept.

    A handle without a version stands for the newest at its first fetch, and for that one
    as long as it is kept; `source` names the version always.

    Raises:
        BadInputError: The handle names no TensorFlow model on Kaggle.
        UnreachableError: Nothing answered.
        SourceError: The model is not there, needs consent, or is no SavedModel.
    """
    wanted = canonical(handle)
    page = "https://www.kaggle.com/models/" + "/".join(wanted.split("/")[:2])

    def attempt(scratch: Path, deadline: float) -> Path:
        _expect_answer(policy)
        with progress.track(f"Downloading {wanted} from Kaggle", None, "bytes") as tracker:
            return child.run(
                "kaggle",
                wanted,
                scratch=scratch,
                policy=policy,
                deadline=deadline,
                tracker=tracker,
                if_refused=f"accept its terms at {page}, and set KAGGLE_USERNAME and "
                "KAGGLE_KEY or save kaggle.json in ~/.kaggle",
            )

    folder = download.through_store(
        "kaggle", wanted, attempt, store=store, policy=policy, progress=progress
    )
    # The client keeps a model in a folder named by its version, and so does the store.
    named = _SHORT.fullmatch(wanted)
    source = wanted if named is not None and named["version"] else f"{wanted}/{folder.name}"
    if source != wanted:
        progress.say(f"{wanted} names no version; this is version {folder.name}")
    return Fetched(folder, digest.of_tree(folder), source, range_guess=HUB_RANGE)


def host() -> str:
    """Return a name for where the client goes, without the half second of importing it."""
    environment = os.environ.get("KAGGLE_API_ENVIRONMENT", "PROD")
    return "Kaggle" if environment == "PROD" else f"Kaggle's environment {environment}"


def origin() -> str:
    """Return where the client goes, as `https://host`.

    Raises:
        BadInputError: KAGGLE_API_ENVIRONMENT, which may send it elsewhere than to Kaggle
            itself, says something that the client does not know.
    """
    from kagglesdk import kaggle_env

    try:
        return str(kaggle_env.get_endpoint(kaggle_env.get_env()))
    except Exception as error:  # the client raises no narrower one
        raise BadInputError(f"{error}; unset that variable to ask Kaggle itself") from error


def _on_page(text: str) -> str | None:
    """Return the path of an address of Kaggle's, None for anything else."""
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return None
    known = parts.scheme in {"http", "https"} and parts.hostname in _HOSTS
    return parts.path if known else None


def _expect_answer(policy: NetworkPolicy) -> None:
    """Make sure that something answers; what it answers is for the client to see."""
    try:
        probe.ask(f"{origin()}/", policy)
    except AttemptError as error:
        if error.status is None:
            raise
