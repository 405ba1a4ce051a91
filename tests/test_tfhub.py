"""Fetching from TF Hub: the client against a server that does everything wrong."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import mirror as hub
from tests.mirror import Heard, Mirror, Reply
from tests.watchdog import HANG_S, until
from toolchain import digest
from toolchain.cache.store import Store
from toolchain.errors import BadInputError, PinMismatchError, SourceError, UnreachableError
from toolchain.progress import Silent
from toolchain.sources import tfhub
from toolchain.sources.lockfile import Lockfile
from toolchain.sources.retries import NetworkPolicy

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from toolchain.sources.saved_model import Fetched

# What answers is waited for, however busy this machine is.
POLICY = NetworkPolicy(
    connect_timeout=HANG_S,
    answer_timeout=HANG_S,
    stall_timeout=HANG_S,
    deadline=HANG_S,
    attempts=1,
    backoff_base=0.1,
)
HANDLE = "https://tfhub.dev/google/imagenet/mobilenet_v1_025_224/classification/5"
PATH = HANDLE.removeprefix("https://tfhub.dev")


@pytest.fixture(scope="module")
def mirror() -> Iterator[Mirror]:
    with hub.running() as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@dataclass
class First:
    """A fetch that the tests of this module share."""

    fetched: Fetched
    store: Store
    heard: Heard
    dead_lock: Path


@pytest.fixture(scope="module")
def first(mirror: Mirror, tmp_path_factory: pytest.TempPathFactory) -> First:
    """Fetch by way of a redirect, with settings and a dead lock for `tensorflow_hub`."""
    folder = tmp_path_factory.mktemp("first")
    mirror.serve(PATH, hub.redirect(f"{mirror.address}/storage/model.tar.gz"))
    mirror.serve("/storage/model.tar.gz", Reply(hub.archive()))
    # What `tensorflow_hub` leaves of a download that was killed; it waits ten minutes for it.
    cache = folder / "tfhub-cache"
    cache.mkdir()
    name = hashlib.sha1(f"{mirror.address}{PATH}".encode(), usedforsecurity=False).hexdigest()
    lock = cache / f"{name}.lock"
    lock.write_text("gone.example.99999")
    store, heard = Store(folder / "store"), Heard()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TFHUB_CACHE_DIR", str(cache))
        patch.setenv("TFHUB_MODEL_LOAD_FORMAT", "UNCOMPRESSED")
        fetched = tfhub.fetch(
            f"{HANDLE}/", store=store, policy=POLICY, progress=heard, mirror=mirror.address
        )
    return First(fetched, store, heard, lock)


def left_over(store: Store) -> list[Path]:
    return [path for path in store.root.rglob("scratch/*") if path.exists()]


def test_a_model_comes_whole_whatever_the_users_own_cache_holds(first: First) -> None:
    files = {
        path.relative_to(first.fetched.path).as_posix(): path.read_bytes()
        for path in first.fetched.path.rglob("*")
        if path.is_file()
    }
    assert files == hub.unpack(hub.archive())
    assert first.fetched.source == HANDLE
    assert first.fetched.sha256 == digest.of_tree(first.fetched.path)
    assert first.dead_lock.is_file()
    assert left_over(first.store) == []


def test_progress_counts_the_bytes_on_the_wire(first: First) -> None:
    assert first.heard.total == len(hub.archive())
    assert first.heard.bytes >= len(hub.archive()) * 0.99  # the padding at its end may go unread


@pytest.mark.parametrize("written", [HANDLE, f" {HANDLE}/// ", f"{HANDLE}#usage"])
def test_a_kept_model_needs_no_request_however_it_is_written(
    first: First, mirror: Mirror, written: str
) -> None:
    before = list(mirror.requests)
    again = tfhub.fetch(
        written, store=first.store, policy=POLICY, progress=Silent(), mirror="http://127.0.0.1:9"
    )
    assert again == first.fetched
    assert mirror.requests == before


def test_half_a_kept_model_is_fetched_anew(first: First, mirror: Mirror) -> None:
    for path in (first.fetched.path / "variables").iterdir():
        path.unlink()
    heard = Heard()
    again = tfhub.fetch(
        HANDLE, store=first.store, policy=POLICY, progress=heard, mirror=mirror.address
    )
    assert again == first.fetched
    assert (again.path / "variables" / "variables.index").is_file()
    assert len(heard.said) == 1
    assert "damaged" in heard.said[0]


def test_faults_that_pass_are_tried_again(mirror: Mirror, store: Store) -> None:
    whole = Reply(hub.archive())
    cut = dataclasses.replace(whole, cut_at=len(whole.body) // 2)
    url = mirror.serve("/flaky/1", Reply(status=503), cut, whole)
    heard = Heard()
    policy = dataclasses.replace(POLICY, attempts=3)
    fetched = tfhub.fetch(url, store=store, policy=policy, progress=heard)
    assert fetched.source == url
    assert mirror.asked("/flaky/1") == 3
    assert ["503" in heard.said[0], "cut off" in heard.said[1]] == [True, True]
    assert left_over(store) == []


@pytest.mark.parametrize(
    ("reply", "cause"),
    [
        pytest.param(Reply(status=403), "refuses access .403 Forbidden", id="403"),
        pytest.param(Reply(status=404), "no such model .404 Not Found", id="404"),
        pytest.param(hub.html(), "web page", id="html"),
        pytest.param(Reply(b""), "empty file", id="empty"),
        pytest.param(Reply(b'{"error": "no"}'), "not an archive", id="json"),
    ],
)
def test_faults_that_stay_end_at_once(
    mirror: Mirror, store: Store, reply: Reply, cause: str
) -> None:
    path = f"/broken/{reply.status}/{len(reply.body)}"
    url = mirror.serve(path, reply)
    policy = dataclasses.replace(POLICY, attempts=3)
    with pytest.raises(SourceError, match=cause) as raised:
        tfhub.fetch(url, store=store, policy=policy, progress=Silent())
    assert not isinstance(raised.value, UnreachableError)
    assert url in str(raised.value)
    assert "--model PATH" in str(raised.value)
    assert mirror.asked(path) == 1


@pytest.mark.parametrize(
    ("origin", "cause"),
    [("http://127.0.0.1:9", "cannot be reached"), ("http://models.invalid", "models.invalid")],
    ids=["refused", "unknown host"],
)
def test_nobody_there_is_said_at_the_first_try(store: Store, origin: str, cause: str) -> None:
    heard = Heard()
    # Where no name server answers, an unknown name is given up after the time to connect.
    policy = dataclasses.replace(POLICY, connect_timeout=2, attempts=3)
    with pytest.raises(UnreachableError, match=cause):
        tfhub.fetch(HANDLE, store=store, policy=policy, progress=heard, mirror=origin)
    assert heard.said == []


def test_a_drip_from_the_start_ends_at_the_first_bytes(mirror: Mirror, store: Store) -> None:
    url = mirror.serve("/drip/1", Reply(hub.archive(), drip_at=0))
    policy = dataclasses.replace(POLICY, answer_timeout=2)
    with pytest.raises(SourceError, match="almost nothing for 2 s"):
        tfhub.fetch(url, store=store, policy=policy, progress=Silent())
    assert mirror.asked("/drip/1") == 1


def test_a_drip_in_the_middle_ends_the_download(mirror: Mirror, store: Store) -> None:
    url = mirror.serve("/drip/2", Reply(hub.archive(), drip_at=100_000))
    policy = dataclasses.replace(POLICY, stall_timeout=2)
    with pytest.raises(SourceError, match=r"stalled: .+ came in 2 s"):
        tfhub.fetch(url, store=store, policy=policy, progress=Silent())
    assert left_over(store) == []
    assert mirror.hung_up.wait(HANG_S)


@pytest.mark.parametrize(
    ("archive", "cause"),
    [
        (
            lambda: hub.pack({"readme.txt": b"holidays"}),
            r"not a whole SavedModel: saved_model\.pb is missing",
        ),
        (
            lambda: hub.pack({"a/b": b"c"}, folders=False),
            r"not a whole SavedModel: saved_model\.pb is missing",
        ),
        (lambda: hub.archive()[:-9], r"what came cannot be unpacked as a \.tar\.gz: "),
        (
            lambda: hub.pack({"../a": b"b"}),
            r"what came is not unpacked: its entry '\./\.\.' points out",
        ),
    ],
    ids=["photos", "no folders", "cut before it was sent", "outside"],
)
def test_what_is_no_model_is_not_kept(
    mirror: Mirror, store: Store, archive: Callable[[], bytes], cause: str
) -> None:
    url = mirror.serve(f"/odd/{len(archive())}", Reply(archive()))
    with pytest.raises(SourceError, match=cause):
        tfhub.fetch(url, store=store, policy=POLICY, progress=Silent())
    assert not store.has("tfhub", digest.of_bytes(url.encode()))
    assert left_over(store) == []


def test_other_bytes_under_a_pinned_handle_are_noticed(
    first: First, store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOOLCHAIN_CACHE", str(tmp_path / "cache"))
    pins = Lockfile.load(tmp_path / "toolchain.lock.json")
    pins.check_or_pin(HANDLE, first.fetched.sha256)
    files = hub.unpack(hub.archive())
    with hub.running() as changed:
        changed.serve(PATH, Reply(hub.pack({**files, "assets/labels.txt": b"other"})))
        fetched = tfhub.fetch(
            HANDLE, store=store, policy=POLICY, progress=Silent(), mirror=changed.address
        )
    with pytest.raises(PinMismatchError, match=first.fetched.sha256[:12]):
        pins.check_or_pin(fetched.source, fetched.sha256)


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="needs POSIX signals")
def test_ctrl_c_leaves_nothing_behind(mirror: Mirror, store: Store) -> None:
    url = mirror.serve("/long/1", Reply(hub.archive(), drip_at=100_000))
    # A shell that runs the tests in the background has all of them ignore Ctrl-C.
    script = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys; from pathlib import Path; from toolchain.progress import Silent\n"
        "from toolchain.sources import tfhub; from toolchain.sources.retries import NetworkPolicy\n"
        "from toolchain.cache.store import Store\n"
        "tfhub.fetch(sys.argv[1], store=Store(Path(sys.argv[2])), policy=NetworkPolicy(),"
        " progress=Silent())\n"
    )
    path = os.pathsep.join(sys.path)
    with subprocess.Popen(
        [sys.executable, "-c", script, url, str(store.root)],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        until(
            lambda: (
                any(path.stat().st_size for path in store.root.rglob("model-archive"))
                or process.poll() is not None
            ),
            "the model begins to come",
        )
        assert left_over(store) != []
        process.send_signal(signal.SIGINT)
        _, written = process.communicate(timeout=HANG_S)
    assert written.rstrip().endswith(b"KeyboardInterrupt")
    assert left_over(store) == []
    assert no_process_about(url)


def no_process_about(url: str) -> bool:
    """Tell whether no process names `url` on its command line, where that can be seen."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            named = url.encode() in path.read_bytes()
        except OSError:
            continue
        if named:
            return False
    return True


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("https://TFHub.dev:443/a/B/1/", "https://tfhub.dev/a/B/1"),
        ("http://tfhub.dev/a/b/1", "https://tfhub.dev/a/b/1"),
        ("http://models.example:80/m", "http://models.example/m"),
        ("http://models.example:8080/m", "http://models.example:8080/m"),
        ("https://h.example/m?tf-hub-format=compressed", "https://h.example/m"),
        ("https://h.example/m?lite-format=tflite", "https://h.example/m?lite-format=tflite"),
        ("http://[::1]:8000/m", "http://[::1]:8000/m"),
        ("https://münchen.example/modell/ü", "https://xn--mnchen-3ya.example/modell/%C3%BC"),
    ],
)
def test_one_model_has_one_handle(written: str, meant: str) -> None:
    assert tfhub.canonical(written) == meant
    assert tfhub.canonical(meant) == meant


@pytest.mark.parametrize(
    "handle",
    [
        "",
        "mobilenet",
        "https://tfhub.dev/",
        "ftp://tfhub.dev/a/1",
        "https://h.example:x/m",
        "https://h.example/a b",
        "https://h.example/a\nb",
    ],
)
def test_what_is_no_handle_is_refused(handle: str) -> None:
    with pytest.raises(BadInputError, match="not a TF Hub handle"):
        tfhub.canonical(handle)


def test_a_password_in_a_handle_is_refused_and_not_repeated() -> None:
    with pytest.raises(BadInputError, match=r"h\.example") as raised:
        tfhub.canonical("https://me:secret@h.example/m")
    assert "secret" not in str(raised.value)


def test_a_mirror_stands_for_tf_hub_alone(store: Store) -> None:
    assert tfhub.origin_of(HANDLE, "http://127.0.0.1:8000/hub") == "http://127.0.0.1:8000"
    assert tfhub.origin_of("https://h.example/m", "http://127.0.0.1:8000") == "https://h.example"
    with pytest.raises(BadInputError, match="not a base URL"):
        tfhub.fetch(HANDLE, store=store, policy=POLICY, progress=Silent(), mirror="mirror")
