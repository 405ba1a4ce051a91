"""Texts by others, from handles to reports, and how they are damaged."""

from __future__ import annotations

import gzip
import json
import shutil
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from tests.fuzz import damage
from tests.fuzz.reader import Reader, Strategy, in_file
from toolchain import digest
from toolchain.deployment import address, release
from toolchain.photos import photo_folder
from toolchain.records import build_report, training
from toolchain.records.card import read_sidecar
from toolchain.report import budget
from toolchain.site import build_info, configuration, contract, web_bundle
from toolchain.sources import kaggle, lockfile, tfhub
from toolchain.sources.request import parse

if TYPE_CHECKING:
    from pathlib import Path

_HASH = "ab" * 32
_REPORT_TOML = "[bytes]\ntotal = '2.3MB'\nmodel = '1MB'\n[first_tag]\n'fast-3g' = '9s'\n"
_PAGE_TOML = '[page]\ntitle = "A"\nlanguage = "de"\naccent = "#b3261e"\nsamples = false\n'
_SIDECAR = 'name = "a"\nlabels = ["b", "c"]\nvalue_range = [0, 1]\nheight = 32\nwidth = 32\n'
_SAMPLES = '[[sample]]\nfile = "a.jpg"\nalt = "A cat"\nauthor = "B"\nlicence = "CC0"\n'
_BUILD_INFO = {
    "schema": 1,
    "toolchain": "1",
    "python": "3",
    "packages": {"numpy": "1"},
    "models": [
        {"name": "a", "source": "b", "sha256": _HASH, "licence": "c", "quantization": "none"}
    ],
    "files": {"index.html": {"size": 1, "sha256": _HASH}},
}
_HISTORY = {
    "schema_version": 1,
    "releases": [
        {"version": "1", "at": "2025-01-01T00:00:00Z", "files": _BUILD_INFO["files"]},
    ],
}
_CONTRACT = {
    "schema": 4,
    "model": {
        "name": "a",
        "source": "b",
        "licence": "c",
        "sha256": _HASH,
        "url": "m.json",
        "quantization": "none",
        "weight_bytes": 3,
    },
    "input": {
        "height": 32,
        "width": 32,
        "value_range": [0, 1],
        "crop_fraction": 0.875,
        "mean": [0, 0, 0],
        "std": [1, 1, 1],
        "channels": "rgb",
    },
    "output": {
        "label_offset": 0,
        "activation": "softmax",
        "task": "single-label",
        "threshold": 0.5,
        "labels": ["a", "b"],
        "none_of_these": {
            "threshold": 0.5,
            "coordinates": "AAABAA==",
            "centres": "AQECAg==",
            "feature": "pool",
        },
    },
    "graph": {"format": "graph-model"},
}


@lru_cache
def _report() -> Any:
    from tests.reports import smallest

    return json.loads(smallest().to_json())


@lru_cache
def _training() -> Any:
    from tests.trainings import record

    return json.loads(record(("cat", "dog"), photos=5, candidates=2, suspects=1).to_json())


def _contracts() -> Strategy:
    plain = damage.json_like(_CONTRACT)
    return st.one_of(
        st.builds(lambda content: gzip.compress(content, 1), plain),
        damage.bytes_like(gzip.compress(json.dumps(_CONTRACT).encode(), mtime=0)),
    )


def _folder_of_a_class(content: bytes, folder: Path) -> None:
    """Use the content as the name of a photo folder and of a file in it."""
    name = content.replace(b"/", b"").replace(b"\0", b"")[:200].strip(b".")
    inner = folder / "photos" / _said(name or b"x")
    inner.mkdir(parents=True)
    (inner / _said(name or b"x")).write_bytes(b"")
    found = photo_folder.find(folder / "photos")
    assert len(found.paths) == 1
    digest.of_tree(folder)


def _said(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")


def _asked(content: bytes, folder: Path) -> None:  # noqa: ARG001 - as all readers
    word = _said(content)
    for canonical in (kaggle.canonical, tfhub.canonical, parse):
        try:
            canonical(word)
        except Exception as error:  # noqa: BLE001 - told apart by the caller
            _raise_unless_refused(error)


def _raise_unless_refused(error: Exception) -> None:
    from toolchain.errors import ToolchainError

    if not isinstance(error, ToolchainError):
        raise error


def _sampled(content: bytes, folder: Path) -> None:
    (folder / "samples.toml").write_bytes(content)
    shutil.copyfile(web_bundle.templates_dir() / "samples" / "cat.jpg", folder / "a.jpg")
    web_bundle.load_samples(folder)


READERS: dict[str, Reader] = {
    "sidecar": Reader(lambda: damage.texts_like(_SIDECAR), in_file("m.toml", read_sidecar)),
    "configuration": Reader(
        lambda: damage.texts_like(_PAGE_TOML), in_file("toolchain.toml", configuration.read)
    ),
    "samples": Reader(lambda: damage.texts_like(_SAMPLES), _sampled),
    "budget": Reader(lambda: damage.texts_like(_REPORT_TOML), in_file("b.toml", budget.read)),
    "pins": Reader(
        lambda: damage.json_like({"schema": 1, "models": {"a/b": {"sha256": _HASH}}}),
        in_file("toolchain.lock.json", lockfile.Lockfile.load),
    ),
    "report": Reader(
        lambda: damage.json_like(_report()), in_file("report.json", build_report.read)
    ),
    "training": Reader(
        lambda: damage.json_like(_training()), in_file("training.json", training.read)
    ),
    "build-info": Reader(
        lambda: damage.json_like(_BUILD_INFO),
        lambda content, _: build_info.read(content, "https://example.org/build-info.json"),
    ),
    "history": Reader(
        lambda: damage.json_like(_HISTORY), lambda content, _: release.read_history(content)
    ),
    "contract": Reader(_contracts, lambda content, _: contract.read(content)),
    "address": Reader(
        lambda: damage.texts_like("s3://bucket/a", "git:https://a/b#c", "a@b:/c", "/srv/x"),
        lambda content, _: address.parse(_said(content)),
    ),
    "handle": Reader(
        lambda: damage.texts_like(
            "kaggle:google/mobilenet-v2/tensorFlow2/a/1",
            "https://tfhub.dev/google/a/b/1?tf-hub-format=compressed",
            "https://www.kaggle.com/models/google/a/frameworks/tensorFlow2/variations/b",
        ),
        _asked,
    ),
    "class-folder": Reader(lambda: damage.texts_like("cat", "n01440764", "7"), _folder_of_a_class),
}
