"""Fetching from Kaggle: the real kagglehub against a server that speaks its API."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import pytest

from tests import mirror as hub
from tests.mirror import KAGGLE_API, Heard, Mirror, Reply
from tests.watchdog import HANG_S
from toolchain import digest
from toolchain.errors import BadInputError, SourceError, UnreachableError
from toolchain.progress import Silent
from toolchain.sources import kaggle
from toolchain.sources.network import NetworkPolicy
from toolchain.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# What answers is waited for, however busy this machine is.
POLICY = NetworkPolicy(
    connect_timeout=HANG_S,
    answer_timeout=HANG_S,
    stall_timeout=HANG_S,
    deadline=HANG_S,
    attempts=1,
    backoff_base=0.1,
)
MODEL = "google/mobilenet-v1/tensorFlow2/025-224-classification"
DOWNLOAD = f"{KAGGLE_API}/DownloadModelInstanceVersion"
LIST = f"{KAGGLE_API}/ListModelInstanceVersionFiles"
LATEST = f"{KAGGLE_API}/GetModelInstance"


@functools.cache
def files() -> dict[str, bytes]:
    return hub.unpack(hub.archive())


def as_json(value: Any, status: int = 200) -> Reply:
    import json

    return Reply(
        json.dumps(value).encode(), status=status, headers={"Content-Type": "application/json"}
    )


def refusal(status: int) -> Reply:
    return as_json({"code": status, "message": "no"}, status)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """Answer in Kaggle's place, as the proxy on the way to it, and hold a model."""
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))  # credentials lie there
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    with hub.running() as running:
        monkeypatch.setenv("http_proxy", running.address)
        running.serve("/", Reply(status=404))
        running.serve(LIST, as_json({"files": [{"name": name} for name in files()]}))
        running.serve(LATEST, as_json({"versionNumber": 3}))
        running.serve(DOWNLOAD, lambda said: hub.redirect(f"http://localhost/files/{said['path']}"))
        for name, data in files().items():
            running.serve(f"/files/{name}", Reply(data))
        yield running


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., Any]:
    return functools.partial(
        kaggle.fetch, store=Store(tmp_path / "store"), policy=POLICY, progress=Silent()
    )


def test_a_model_comes_whole_and_once(
    mirror: Mirror, fetch: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What the client takes for a whole model in the user's own cache: an empty folder.
    own = tmp_path / "own" / "models" / MODEL
    (own / "2").mkdir(parents=True)
    (own / "2.complete").touch()
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(tmp_path / "own"))
    heard = Heard()
    fetched = fetch(f"kaggle:{MODEL}/2", progress=heard)
    found = {
        path.relative_to(fetched.path).as_posix(): path.read_bytes()
        for path in fetched.path.rglob("*")
        if path.is_file()
    }
    assert found == files()
    assert fetched.source == f"{MODEL}/2"
    assert fetched.sha256 == digest.of_tree(fetched.path)
    assert heard.bytes >= sum(map(len, files().values()))
    before = list(mirror.requests)
    page = f"https://www.kaggle.com/models/{MODEL}/2/"
    assert fetch(page) == fetched
    assert mirror.requests == before


def test_without_a_version_the_newest_comes_and_stays(
    mirror: Mirror, fetch: Callable[..., Any]
) -> None:
    heard = Heard()
    fetched = fetch(f"kaggle:{MODEL}", progress=heard)
    assert fetched.source == f"{MODEL}/3"
    assert "version 3" in heard.said[-1]
    mirror.serve(LATEST, as_json({"versionNumber": 4}))
    assert fetch(f"kaggle:{MODEL}") == fetched


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_says_how_to_give_credentials(
    mirror: Mirror, fetch: Callable[..., Any], status: int
) -> None:
    mirror.serve(LIST, refusal(status))
    with pytest.raises(SourceError, match=rf"refuses access \({status}") as raised:
        fetch(f"kaggle:{MODEL}/2", policy=dataclasses.replace(POLICY, attempts=3))
    for way_out in ("/models/google/mobilenet-v1", "KAGGLE_USERNAME", "KAGGLE_KEY", "kaggle.json"):
        assert way_out in str(raised.value)
    assert mirror.asked(LIST) == 1


def test_a_model_that_is_not_there_is_asked_for_once(
    mirror: Mirror, fetch: Callable[..., Any]
) -> None:
    mirror.serve(LIST, refusal(404))
    with pytest.raises(SourceError, match="no such model"):
        fetch(f"kaggle:{MODEL}/2", policy=dataclasses.replace(POLICY, attempts=3))
    assert mirror.asked(LIST) == 1


def test_faults_that_pass_are_tried_again(
    mirror: Mirror, fetch: Callable[..., Any], tmp_path: Path
) -> None:
    name = "saved_model.pb"
    whole = Reply(files()[name])
    mirror.serve(f"/files/{name}", Reply(status=503), dataclasses.replace(whole, cut_at=9), whole)
    heard = Heard()
    policy = dataclasses.replace(POLICY, attempts=3)
    fetched = fetch(f"kaggle:{MODEL}/2", policy=policy, progress=heard)
    assert (fetched.path / name).read_bytes() == whole.body
    assert ["503" in heard.said[0], "cut off" in heard.said[1]] == [True, True]
    assert list((tmp_path / "store").rglob("scratch/*")) == []


def test_a_drip_ends_the_client(mirror: Mirror, fetch: Callable[..., Any]) -> None:
    mirror.serve("/files/saved_model.pb", Reply(files()["saved_model.pb"], drip_at=99))
    with pytest.raises(SourceError, match=r"stalled: .+ came in 2 s"):
        fetch(f"kaggle:{MODEL}/2", policy=dataclasses.replace(POLICY, stall_timeout=2))


def test_a_silent_client_ends_by_the_deadline(mirror: Mirror, fetch: Callable[..., Any]) -> None:
    mirror.serve("/files/saved_model.pb", Reply(files()["saved_model.pb"], drip_at=99))
    with pytest.raises(SourceError, match="not done within 3 s"):
        fetch(f"kaggle:{MODEL}/2", policy=dataclasses.replace(POLICY, deadline=3))


@pytest.mark.usefixtures("mirror")
def test_nobody_there_is_said_at_the_first_try(
    fetch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    heard = Heard()
    policy = dataclasses.replace(POLICY, attempts=3)
    with pytest.raises(UnreachableError, match=f"{MODEL}/2 could not be fetched"):
        fetch(f"kaggle:{MODEL}/2", policy=policy, progress=heard)
    assert heard.said == []


def test_an_environment_the_client_does_not_know_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "MOON")
    with pytest.raises(BadInputError, match=r"KAGGLE_API_ENVIRONMENT.*MOON"):
        kaggle.origin()


@pytest.mark.parametrize(
    "written",
    [
        "kaggle:google/m.v-1/tensorFlow2/0_25/2",
        "google/m.v-1/TensorFlow2/0_25/2",
        " https://www.kaggle.com/models/google/m.v-1/tensorFlow2/0_25/2/ ",
        "https://kaggle.com/models/google/m.v-1/frameworks/TensorFlow2/variations/0_25/versions/2",
    ],
)
def test_one_model_has_one_handle(written: str) -> None:
    assert kaggle.canonical(written) == "google/m.v-1/tensorFlow2/0_25/2"


def test_a_version_may_be_left_out() -> None:
    page = "https://www.kaggle.com/models/a/b/frameworks/tensorFlow2/variations/c?select=x"
    assert kaggle.canonical(page) == kaggle.canonical("kaggle:a/b/tensorFlow2/c")


@pytest.mark.parametrize(
    "handle",
    [
        "",
        "kaggle:",
        "kaggle:a/b",
        "kaggle:a/b/tensorFlow2/c/0",
        "kaggle:a/b/tensorFlow2/c/x",
        "kaggle:../b/tensorFlow2/c/1",
        "https://www.kaggle.com/datasets/a/b",
        "https://models.example/models/a/b/tensorFlow2/c/1",
    ],
)
def test_what_is_no_model_is_refused(handle: str) -> None:
    with pytest.raises(BadInputError, match="no Kaggle model"):
        kaggle.canonical(handle)


def test_another_framework_is_refused_with_the_right_one_named() -> None:
    with pytest.raises(BadInputError, match=r"tfLite.*tensorFlow2"):
        kaggle.canonical("kaggle:a/b/tfLite/c/1")


def test_kaggles_handles_are_told_from_others() -> None:
    assert kaggle.recognises("kaggle:anything")
    assert kaggle.recognises("https://www.kaggle.com/models/a/b")
    assert kaggle.recognises(f"{MODEL}/2")
    assert not kaggle.recognises("https://[broken")
    assert not kaggle.recognises("https://tfhub.dev/google/a/1")
    assert not kaggle.recognises("models/a/b/c")
