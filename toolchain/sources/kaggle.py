"""Models on Kaggle, which now also hosts the models of TF Hub.

Kaggle's public API answers a GET of `/api/v1/models/HANDLE/download` with a redirect to the
model's archive. A GET of `/api/v1/models/HANDLE/get`, without a version, tells the newest version.
"""

from __future__ import annotations

import functools
import json
import os
import re
import urllib.parse
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.errors import BadInputError
from toolchain.records.card import HUB_RANGE
from toolchain.sources import download, kaggle_credentials
from toolchain.sources.retries import AttemptError
from toolchain.sources.saved_model import Fetched

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.sources.download import Get
    from toolchain.sources.retries import NetworkPolicy

PREFIX = "kaggle:"
_ENVIRONMENTS = {
    "PROD": "https://www.kaggle.com",
    "LOCALHOST": "http://localhost",
    "TEST": "http://localhost:7777",
}
_ANSWER_BYTES = 1 << 20  # the most bytes of an answer in JSON; chosen, not measured
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
# The frameworks whose models are SavedModels, spelt as in Kaggle's own client.
_FRAMEWORKS = {"tensorflow1": "tensorFlow1", "tensorflow2": "tensorFlow2"}


def recognises(handle: str) -> bool:
    """Tell whether a word can only be a Kaggle handle.

    The canonical form counts too, because of the framework in it. It is shown in the lock file and
    in messages, so users may copy it from there.
    """
    text = handle.strip()
    if text.startswith(PREFIX) or _on_page(text) is not None:
        return True
    match = _SHORT.fullmatch(text)
    return match is not None and match["framework"].lower() in _FRAMEWORKS


def canonical(handle: str) -> str:
    """Return a handle in its canonical form, `owner/model/framework/variation[/version]`.

    It may be given in that form, with or without `kaggle:` before it, or as the long or short
    address of the model's page.

    Raises:
        BadInputError: It is not a handle, or names a model for another framework than TensorFlow.
    """
    text = handle.strip()
    path = _on_page(text)
    text = (text.removeprefix(PREFIX) if path is None else path.removeprefix("/models/")).rstrip(
        "/"
    )
    match = _LONG.fullmatch(text) or _SHORT.fullmatch(text)
    if match is None:
        raise BadInputError(
            f"{handle!r} is not a Kaggle model; write "
            f"{PREFIX}owner/model/tensorFlow2/variation/version"
        )
    framework = _FRAMEWORKS.get(match["framework"].lower())
    if framework is None:
        raise BadInputError(
            f"{handle} is a model for {match['framework']}, but this tool reads SavedModels of "
            "TensorFlow; choose its tensorFlow2 variation"
        )
    version = f"/{match['version']}" if match["version"] else ""
    return f"{match['model']}/{framework}/{match['variation']}{version}"


def fetch(handle: str, *, store: Store, policy: NetworkPolicy, progress: Progress) -> Fetched:
    """Return the model of a Kaggle handle, downloaded unless a whole copy is cached.

    A handle without a version means the newest version at its first fetch, and the same version
    as long as that copy is cached. `source` always names the version.

    Raises:
        BadInputError: The handle does not name a TensorFlow model on Kaggle; or the environment
            names a service, credentials, a proxy or certificates that cannot be used.
        UnreachableError: Nothing answered.
        SourceError: The model does not exist, needs consent, or is not a SavedModel.
    """
    wanted = canonical(handle)
    named = _SHORT.fullmatch(wanted)
    version = named["version"] if named is not None else None
    models = f"{origin()}/api/v1/models"
    page = "https://www.kaggle.com/models/" + "/".join(wanted.split("/")[:2])

    def attempt(scratch: Path, get: Get) -> Path:
        get = functools.partial(
            get,
            headers=kaggle_credentials.headers(),
            if_refused=f"accept its terms at {page}, and set KAGGLE_USERNAME and "
            "KAGGLE_KEY or save kaggle.json in ~/.kaggle",
        )
        # In the cache, the model's folder is named by its version.
        newest = version or _newest(f"{models}/{wanted}/get", scratch / "newest.json", get)
        path = wanted if version else f"{wanted}/{newest}"
        return download.unpacked(f"{models}/{path}/download", scratch / newest, get)

    folder = download.through_store(
        "kaggle", wanted, attempt, store=store, policy=policy, progress=progress
    )
    source = wanted if version else f"{wanted}/{folder.name}"
    if source != wanted:
        progress.say(f"{wanted} names no version; this is version {folder.name}")
    return Fetched(folder, digest.of_tree(folder), source, range_guess=HUB_RANGE)


def origin() -> str:
    """Return the address of Kaggle's API, as `https://host`.

    Raises:
        BadInputError: KAGGLE_API_ENVIRONMENT, which redirects Kaggle's own tools, has an unknown
            value.
    """
    environment = os.environ.get("KAGGLE_API_ENVIRONMENT", "PROD")
    if (found := _ENVIRONMENTS.get(environment)) is None:
        raise BadInputError(
            f"KAGGLE_API_ENVIRONMENT is {environment!r}, which is not known; "
            "unset that variable to ask Kaggle itself"
        )
    return found


def _newest(url: str, path: Path, get: Get) -> str:
    """Return the number of a model's newest version."""
    get(url, path, limit=_ANSWER_BYTES)
    try:
        number = json.loads(path.read_bytes())["versionNumber"]
    except (ValueError, KeyError, TypeError):
        number = None
    if not isinstance(number, int) or number < 1:
        raise AttemptError(
            "the server does not say which version is the newest",
            "give the handle with a version",
        )
    return str(number)


def _on_page(text: str) -> str | None:
    """Return the path of an address on Kaggle; None for anything else."""
    try:
        parts = urllib.parse.urlsplit(text)
    except ValueError:
        return None
    known = parts.scheme in {"http", "https"} and parts.hostname in _HOSTS
    return parts.path if known else None
