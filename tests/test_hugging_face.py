"""Fetching from Hugging Face: the client against a server that speaks the hub's API."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import mirror as hub
from tests import tfjs_models
from tests.mirror import Mirror, Reply
from tests.test_kaggle import POLICY
from toolchain.cache.store import Store
from toolchain.errors import BadInputError, PinMismatchError, SourceError
from toolchain.labels import imagenet
from toolchain.progress import Silent
from toolchain.sources import hugging_face, resolve
from toolchain.sources.catalogue import ENTRIES
from toolchain.sources.request import Handle, Kind, Request, parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME = "owner/name"
LIST = f"/api/models/{NAME}/revision/main"
COMMIT = "c" * 40
SETTINGS = json.dumps({"id2label": {str(n): f"tag {n}" for n in range(5)}}).encode()
WITHIN = "onnx/model.onnx"


@pytest.fixture
def mirror(monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    with hub.running() as server:
        monkeypatch.setenv("HF_ENDPOINT", server.address)
        monkeypatch.setenv("HF_TOKEN", "secret")
        yield server


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., Any]:
    def fetched(handle: str = f"hf:{NAME}", cache: str = "cache") -> Any:
        request = Request(handle, lockfile=tmp_path / "toolchain.lock.json", policy=POLICY)
        return resolve.fetch(request, store=Store(tmp_path / cache), progress=Silent())

    return fetched


def holds(
    mirror: Mirror, files: dict[str, bytes], commit: str = COMMIT, repository: str = NAME
) -> None:
    """Let the mirror list and send these files."""
    listed = [
        {
            "rfilename": name,
            "size": len(content),
            "lfs": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)},
        }
        for name, content in files.items()
    ]
    answer = Reply(json.dumps({"sha": commit, "siblings": listed}).encode())
    mirror.serve(f"/api/models/{repository}/revision/main", answer)
    for name, content in files.items():
        mirror.serve(sent(name, commit, repository), Reply(content))


def sent(name: str, commit: str = COMMIT, repository: str = NAME) -> str:
    return f"/{repository}/resolve/{commit}/{name}"


def test_an_onnx_model_comes_with_its_settings_alone_and_stays_pinned(
    mirror: Mirror, fetch: Callable[..., Any]
) -> None:
    pytest.importorskip("onnx", reason="the extra toolchain[onnx] is not installed")
    from tests.test_onnx import network

    model = network("mobile").SerializeToString()
    weights = {"model.safetensors": b"x", "tf_model.h5": b"x"}
    holds(mirror, {WITHIN: model, "config.json": SETTINGS, **weights})
    found = fetch()
    assert found.declared.labels == tuple(f"tag {n}" for n in range(5))
    assert (found.source, found.declared.name) == (f"hf:{NAME}", "name")
    assert mirror.requests == [LIST, sent(WITHIN), sent("config.json")]
    assert set(mirror.said(LIST, "Authorization")) == {"Bearer secret"}
    assert fetch().sha256 == found.sha256
    assert mirror.asked(LIST) == 1
    holds(mirror, {WITHIN: model, "config.json": SETTINGS.replace(b"tag 1", b"tag 9")}, "d" * 40)
    with pytest.raises(PinMismatchError, match="checksum mismatch: hf:owner/name"):
        fetch(cache="another")


def test_a_catalogue_name_takes_the_preprocessing_from_the_repository(
    mirror: Mirror, fetch: Callable[..., Any]
) -> None:
    pytest.importorskip("onnx", reason="the extra toolchain[onnx] is not installed")
    from tests.test_onnx import network

    name = "mobilenet-v4-small-224"
    owner, repository, *path = (ENTRIES[name].hugging_face or "").split("/")
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
    settings = {"pretrained_cfg": {"mean": mean, "std": std, "input_size": [3, 9, 9]}}
    files = {
        "/".join(path): network("mobile").SerializeToString(),
        "config.json": json.dumps(settings).encode(),
    }
    holds(mirror, files, repository=f"{owner}/{repository}")
    declared = fetch(name).declared
    assert (declared.mean, declared.std) == (tuple(mean), tuple(std))
    assert (declared.name, declared.height, declared.label_offset) == (name, 224, 0)
    assert declared.labels == imagenet.labels()


def test_a_keras_file_has_the_labels_of_the_repository(
    mirror: Mirror, fetch: Callable[..., Any], tmp_path: Path
) -> None:
    from toolchain import tf as tensorflow

    keras = tensorflow.load().keras
    file = tmp_path / "small.keras"
    keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), keras.layers.Dense(5, "softmax")]
    ).save(file)
    holds(mirror, {"small.keras": file.read_bytes(), "b.onnx": b"x", "config.json": SETTINGS})
    with pytest.raises(BadInputError, match=r"2 models: b\.onnx, small\.keras; give one, such as"):
        fetch()
    found = fetch(f"hf:{NAME}/small.keras")
    assert found.declared.labels == tuple(f"tag {n}" for n in range(5))


def test_a_tflite_file_is_taken_where_there_is_no_other_model(
    mirror: Mirror, fetch: Callable[..., Any]
) -> None:
    from tests.tflite_files import small

    holds(mirror, {"m.tflite": small().to_bytes(), "config.json": SETTINGS})
    assert fetch().declared.labels == tuple(f"tag {n}" for n in range(5))
    assert sent("m.tflite") in mirror.requests


@pytest.mark.parametrize(
    ("files", "said"),
    [
        (
            {"model.safetensors": b"x", "config.json": b"{}"},
            "optimum-cli export onnx --model owner/",
        ),
        ({"README.md": b"x"}, "holds no TF.js model, Keras file, SavedModel, ONNX or"),
        ({"../model.onnx": b"x"}, "holds no TF.js model"),
        ({"saved_model.pb": b"x", "variables/../../x": b"x"}, "outside its folder"),
    ],
)
def test_what_cannot_be_used_is_refused(
    mirror: Mirror, fetch: Callable[..., Any], files: dict[str, bytes], said: str
) -> None:
    holds(mirror, files)
    with pytest.raises((BadInputError, SourceError), match=said):
        fetch()
    assert mirror.requests == [LIST]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b"<html>"), "does not send a list of the repository's files"),
        (Reply(b'{"sha": "../x", "siblings": []}'), "does not say which commit"),
        (Reply(status=401), "accept its terms at .*/owner/name and set HF_TOKEN"),
        (Reply(status=404), "owner/name"),
        (
            Reply(
                json.dumps(
                    {"sha": COMMIT, "siblings": [{"rfilename": "m.onnx", "size": 1 << 50}]}
                ).encode()
            ),
            "of at most",
        ),
    ],
)
def test_odd_answers_are_refused(
    mirror: Mirror, fetch: Callable[..., Any], reply: Reply, said: str
) -> None:
    mirror.serve(LIST, reply)
    with pytest.raises(SourceError, match=said):
        fetch()


def test_other_bytes_than_listed_are_refused(mirror: Mirror, fetch: Callable[..., Any]) -> None:
    holds(mirror, {"m.onnx": b"good"})
    mirror.serve(sent("m.onnx"), Reply(b"evil"))
    with pytest.raises(SourceError, match="not the SHA-256 that is listed"):
        fetch()
    pytest.importorskip("onnx", reason="the extra toolchain[onnx] is not installed")
    holds(mirror, {"m.onnx": b"text"})
    with pytest.raises(BadInputError, match=r"^hf:owner/name/m\.onnx is not an ONNX file"):
        fetch(f"hf:{NAME}/m.onnx")


def test_words_that_are_no_repository_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for word in ("hf:name", "hf:", "hf:owner/name/../x", "hf:owner/name@"):
        with pytest.raises(BadInputError, match="is not a repository of Hugging Face"):
            hugging_face.canonical(word)
    assert hugging_face.canonical("hf:a/b@v1.0/c/m.onnx") == "hf:a/b@v1.0/c/m.onnx"
    page = "https://huggingface.co/a/b"
    for address, handle in (
        (page, "hf:a/b"),
        (f"{page}/tree/main", "hf:a/b@main"),
        (f"{page}/resolve/v1/c/model.json?download=true", "hf:a/b@v1/c/model.json"),
    ):
        assert parse(address) == Handle(Kind.HF, handle)
    assert not hugging_face.recognises("https://huggingface.co/docs/hub")
    monkeypatch.setenv("HF_ENDPOINT", "ftp://x")
    with pytest.raises(BadInputError, match="HF_ENDPOINT"):
        hugging_face.origin()


@pytest.mark.parametrize("place", ["", "export/"])
def test_folders_come_whole(mirror: Mirror, tiny: Path, tmp_path: Path, place: str) -> None:
    def files(folder: Path) -> dict[str, bytes]:
        found = [each for each in folder.rglob("*") if each.is_file()]
        return {f"{place}{each.relative_to(folder)}": each.read_bytes() for each in found}

    settings = {"config.json": SETTINGS}
    other = {"model.safetensors": b"x", "other/variables/variables.index": b"x"}
    web = tmp_path / "web"
    web.mkdir()
    tfjs_models.write(web, tfjs_models.layers_model())
    for folder, cache in ((tiny, "saved"), (web, "tfjs")):
        holds(mirror, {**files(folder), **settings, **other})
        handle = f"hf:{NAME}/{place}".rstrip("/")
        request = Request(handle, lockfile=tmp_path / f"{cache}.json", policy=POLICY)
        found = resolve.fetch(request, store=Store(tmp_path / cache), progress=Silent())
        assert (found.path / "saved_model.pb").is_file()
        assert found.declared.labels == tuple(f"tag {n}" for n in range(5))
        assert not any(sent(name) in mirror.requests for name in other)
