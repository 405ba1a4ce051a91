"""Fetching from Kaggle: the client against a server that speaks Kaggle's API."""

from __future__ import annotations

import dataclasses
import functools
from typing import TYPE_CHECKING, Any

import pytest

from tests import mirror as hub
from tests.mirror import Heard, Mirror, Reply
from tests.watchdog import HANG_S
from toolchain import digest
from toolchain.cache.store import Store
from toolchain.errors import BadInputError, SourceError, UnreachableError
from toolchain.progress import Silent
from toolchain.sources import kaggle
from toolchain.sources.retries import NetworkPolicy

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
API = f"/api/v1/models/{MODEL}"
DOWNLOAD = f"{API}/2/download"
NEWEST = f"{API}/get"
STORAGE = "/storage/model.tar.gz"


def as_json(value: Any, status: int = 200) -> Reply:
    import json

    return Reply(
        json.dumps(value).encode(), status=status, headers={"Content-Type": "application/json"}
    )


def refusal(status: int) -> Reply:
    return as_json({"code": status, "message": "no"}, status)


@pytest.fixture
def mirror(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mirror]:
    """Answer in Kaggle's place, as the proxy on the way to it, and hold a model elsewhere."""
    for name in ("KAGGLE_API_TOKEN", "KAGGLE_USERNAME", "KAGGLE_KEY", "KAGGLE_CONFIG_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("NO_PROXY", "")
    monkeypatch.setenv("no_proxy", "")
    monkeypatch.setenv("HOME", str(tmp_path))  # credentials lie there
    monkeypatch.setenv("KAGGLE_API_ENVIRONMENT", "LOCALHOST")
    with hub.running() as running:
        monkeypatch.setenv("http_proxy", running.address)
        running.serve(NEWEST, as_json({"versionNumber": 3}))
        for version in (2, 3):
            running.serve(f"{API}/{version}/download", hub.redirect(f"http://127.0.0.2{STORAGE}"))
        running.serve(STORAGE, Reply(hub.archive()))
        yield running


@pytest.fixture
def fetch(tmp_path: Path) -> Callable[..., Any]:
    return functools.partial(
        kaggle.fetch, store=Store(tmp_path / "store"), policy=POLICY, progress=Silent()
    )


def test_a_model_comes_whole_and_once(
    mirror: Mirror, fetch: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What kagglehub takes for a whole model in the user's own cache: an empty folder.
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
    assert found == hub.unpack(hub.archive())
    assert fetched.source == f"{MODEL}/2"
    assert fetched.sha256 == digest.of_tree(fetched.path)
    assert heard.bytes == heard.total == len(hub.archive())
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
    mirror.serve(NEWEST, as_json({"versionNumber": 4}))
    assert fetch(f"kaggle:{MODEL}") == fetched


@pytest.mark.parametrize("status", [401, 403])
def test_a_refusal_says_how_to_give_credentials(
    mirror: Mirror, fetch: Callable[..., Any], status: int
) -> None:
    mirror.serve(DOWNLOAD, refusal(status))
    with pytest.raises(SourceError, match=rf"refuses access \({status}") as raised:
        fetch(f"kaggle:{MODEL}/2", policy=dataclasses.replace(POLICY, attempts=3))
    for way_out in ("/models/google/mobilenet-v1", "KAGGLE_USERNAME", "KAGGLE_KEY", "kaggle.json"):
        assert way_out in str(raised.value)
    assert mirror.asked(DOWNLOAD) == 1


def test_a_model_that_is_not_there_is_asked_for_once(
    mirror: Mirror, fetch: Callable[..., Any]
) -> None:
    mirror.serve(DOWNLOAD, refusal(404))
    with pytest.raises(SourceError, match="no such model"):
        fetch(f"kaggle:{MODEL}/2", policy=dataclasses.replace(POLICY, attempts=3))
    assert mirror.asked(DOWNLOAD) == 1


def test_faults_that_pass_are_tried_again(
    mirror: Mirror, fetch: Callable[..., Any], tmp_path: Path
) -> None:
    whole = Reply(hub.archive())
    mirror.serve(STORAGE, Reply(status=503), dataclasses.replace(whole, cut_at=9999), whole)
    heard = Heard()
    policy = dataclasses.replace(POLICY, attempts=3)
    fetched = fetch(f"kaggle:{MODEL}/2", policy=policy, progress=heard)
    assert fetched.sha256 == digest.of_tree(fetched.path)
    assert (fetched.path / "saved_model.pb").is_file()
    assert ["503" in heard.said[0], "cut off" in heard.said[1]] == [True, True]
    assert list((tmp_path / "store").rglob("scratch/*")) == []


def test_a_drip_ends_the_download(mirror: Mirror, fetch: Callable[..., Any]) -> None:
    mirror.serve(STORAGE, Reply(hub.archive(), drip_at=9999))
    with pytest.raises(SourceError, match=r"stalled: .+ came in 2 s"):
        fetch(f"kaggle:{MODEL}/2", policy=dataclasses.replace(POLICY, stall_timeout=2))


def test_a_slow_download_ends_by_the_deadline(mirror: Mirror, fetch: Callable[..., Any]) -> None:
    mirror.serve(STORAGE, Reply(hub.archive(), drip_at=9999))
    with pytest.raises(SourceError, match="not done within 3 s"):
        fetch(f"kaggle:{MODEL}/2", policy=dataclasses.replace(POLICY, deadline=3))


def test_only_what_was_cut_off_is_asked_for_by_its_rest(
    mirror: Mirror, fetch: Callable[..., Any]
) -> None:
    mirror.serve(NEWEST, dataclasses.replace(as_json({"versionNumber": 3}), etag='"n"'))
    whole = Reply(hub.archive(), etag='"m"')
    mirror.serve(STORAGE, dataclasses.replace(whole, cut_at=9999), whole)
    fetched = fetch(f"kaggle:{MODEL}", policy=dataclasses.replace(POLICY, attempts=2))
    assert fetched.source == f"{MODEL}/3"
    assert mirror.said(NEWEST, "Range") == [None, None]
    assert mirror.said(STORAGE, "Range") == [None, "bytes=9999-"]


@pytest.mark.parametrize("answer", [Reply(b"[]"), Reply(b"{"), Reply(b'{"versionNumber": "9"}')])
def test_an_answer_without_the_newest_version_is_said(
    mirror: Mirror, fetch: Callable[..., Any], answer: Reply
) -> None:
    mirror.serve(NEWEST, answer)
    with pytest.raises(SourceError, match="which version is the newest; give the handle with a"):
        fetch(f"kaggle:{MODEL}")


BASIC = "Basic bWU6c2VjcmV0"  # me:secret


@pytest.mark.parametrize(
    ("variables", "files", "said"),
    [
        ({}, {}, None),
        ({"KAGGLE_USERNAME": "me", "KAGGLE_KEY": "secret"}, {}, BASIC),
        ({}, {".kaggle/kaggle.json": '{"username": "me", "key": "secret"}'}, BASIC),
        (
            {"KAGGLE_CONFIG_DIR": "own"},
            {"own/kaggle.json": '{"username": "me", "key": "secret"}'},
            BASIC,
        ),
        ({"KAGGLE_API_TOKEN": "abc", "KAGGLE_USERNAME": "me", "KAGGLE_KEY": "x"}, {}, "Bearer abc"),
        ({"KAGGLE_API_TOKEN": "own"}, {"own": "abc\n"}, "Bearer abc"),
        ({}, {".kaggle/access_token": "abc\n"}, "Bearer abc"),
    ],
    ids=["none", "variables", "file", "folder", "token", "file of a token", "saved token"],
)
def test_credentials_go_to_kaggle_and_no_further(
    mirror: Mirror,
    fetch: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
    files: dict[str, str],
    said: str | None,
    tmp_path: Path,
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(content)
    fetch(f"kaggle:{MODEL}/2")
    assert mirror.said(DOWNLOAD, "Authorization") == [said]
    assert mirror.said(STORAGE, "Authorization") == [None]


@pytest.mark.parametrize("content", ["{", "[]", '{"username": "me"}'])
def test_credentials_that_cannot_be_read_are_named(
    mirror: Mirror, fetch: Callable[..., Any], tmp_path: Path, content: str
) -> None:
    (tmp_path / ".kaggle").mkdir()
    (tmp_path / ".kaggle" / "kaggle.json").write_text(content)
    with pytest.raises(BadInputError, match=r"kaggle\.json holds no username and key"):
        fetch(f"kaggle:{MODEL}/2")
    assert mirror.requests == []


def test_a_token_that_is_no_line_of_text_is_refused(
    mirror: Mirror, fetch: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KAGGLE_API_TOKEN", "a\nHost: b")
    with pytest.raises(BadInputError, match="KAGGLE_API_TOKEN") as raised:
        fetch(f"kaggle:{MODEL}/2")
    assert "Host" not in str(raised.value)
    assert mirror.requests == []


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


def test_an_environment_that_is_not_known_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
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
    with pytest.raises(BadInputError, match="not a Kaggle model"):
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
