"""Patience: retries, what a server may ask for, and the memory of what did not answer."""

from __future__ import annotations

import contextlib
import dataclasses
import email.utils
import itertools
import json
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests import mirror as hub
from tests.mirror import Heard, Reply
from tests.watchdog import HANG_S
from toolchain.cache.store import Store
from toolchain.errors import SourceError, UnreachableError
from toolchain.sources import http_client, retries
from toolchain.sources.retries import AttemptError, NetworkPolicy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

ORIGIN = "https://models.example"
# What answers is waited for, however busy this machine is.
POLICY = NetworkPolicy(
    connect_timeout=HANG_S,
    answer_timeout=HANG_S,
    deadline=HANG_S,
    backoff_base=0.01,
    max_wait=HANG_S / 2,
)
# What never answers, or never ends, is not.
IMPATIENT = dataclasses.replace(POLICY, connect_timeout=1, answer_timeout=0.5)


def ask(url: str, heard: Heard, policy: NetworkPolicy = POLICY) -> tuple[bytes, int | None]:
    return retries.with_retries(
        url, lambda _: http_client.ask(url, policy), policy=policy, progress=heard
    )


def test_a_busy_server_is_given_the_time_it_asks_for() -> None:
    with hub.running() as mirror:
        url = mirror.serve("/m", Reply(status=429, headers={"Retry-After": "1"}), Reply(b"data"))
        start = time.monotonic()
        heard = Heard()
        assert ask(url, heard) == (b"data", 4)
    assert time.monotonic() - start >= 1
    assert "429" in heard.said[0]


@pytest.mark.parametrize("form", ["seconds", "date"])
def test_but_not_an_hour(form: str) -> None:
    wait = "3600" if form == "seconds" else email.utils.formatdate(time.time() + 3600)
    with hub.running() as mirror:
        url = mirror.serve("/m", Reply(status=503, headers={"Retry-After": wait}))
        with pytest.raises(SourceError, match="503 Service Unavailable"):
            ask(url, Heard())
        assert mirror.asked("/m") == 1


@pytest.mark.parametrize("wait", ["soon", "-1", ""])
def test_a_wait_that_cannot_be_read_is_left_aside(wait: str) -> None:
    with hub.running() as mirror:
        url = mirror.serve("/m", Reply(status=503, headers={"Retry-After": wait}), Reply(b"data"))
        assert ask(url, Heard())[0] == b"data"


def test_attempts_are_counted() -> None:
    with hub.running() as mirror:
        url = mirror.serve("/m", Reply(status=500))
        with pytest.raises(SourceError, match="tried 3 times"):
            ask(url, Heard())
        assert mirror.asked("/m") == 3


def test_redirects_without_end_are_not_followed_for_ever() -> None:
    with hub.running() as mirror:
        url = mirror.serve("/m", hub.redirect("/m"))
        with pytest.raises(SourceError, match="302"):
            ask(url, Heard())
        assert mirror.asked("/m") < 20


def test_a_server_that_says_nothing_is_unreachable() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/m"
        with pytest.raises(UnreachableError, match=r"tried 3 times.* for 0\.5 s;"):
            ask(url, Heard(), IMPATIENT)


@contextlib.contextmanager
def speaking(lines: Iterable[bytes], pause: float = 0) -> Iterator[str]:
    """Run a server that answers one request with these, and give its address."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            with server.accept()[0] as connection, contextlib.suppress(ConnectionError):
                connection.recv(1000)
                for line in lines:
                    connection.sendall(line)
                    if done.wait(pause):
                        break

        thread = threading.Thread(target=answer)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}/m"
        finally:
            done.set()
            thread.join()


def test_a_server_of_another_kind_is_told_apart() -> None:
    with (
        speaking([b"220 mail.example ESMTP\r\n"]) as url,
        pytest.raises(SourceError, match="the answer is not HTTP"),
    ):
        ask(url, Heard())


def test_headers_that_come_drop_by_drop_are_not_waited_for() -> None:
    policy = dataclasses.replace(IMPATIENT, attempts=1)
    # They never end, and Python itself reads a hundred of them, which takes twenty seconds.
    drops = (b"X-%d: y\r\n" % number for number in itertools.count())
    with (
        speaking(itertools.chain([b"HTTP/1.1 200 OK\r\n"], drops), pause=0.2) as url,
        pytest.raises(UnreachableError, match="almost nothing"),
    ):
        ask(url, Heard(), policy)


def test_tls_where_there_is_none_is_an_error_of_its_own() -> None:
    with hub.running() as mirror:
        url = mirror.address.replace("http:", "https:") + "/m"
        with pytest.raises(SourceError, match="connection failed"):
            ask(url, Heard())


def test_no_attempt_starts_after_the_deadline() -> None:
    calls: list[float] = []

    def attempt(deadline: float) -> None:
        calls.append(deadline)
        raise AttemptError("it broke", transient=True, retry_after=1.5)

    policy = NetworkPolicy(deadline=1)
    with pytest.raises(SourceError, match="it broke"):
        retries.with_retries("it", attempt, policy=policy, progress=Heard())
    assert len(calls) == 1


def test_what_did_not_answer_is_remembered_and_forgotten(tmp_path: Path) -> None:
    store = Store(tmp_path / "not yet there")
    assert not retries.recently_unreachable(store, ORIGIN)
    retries.remember_unreachable(store, ORIGIN)
    assert retries.recently_unreachable(store, ORIGIN)
    assert not retries.recently_unreachable(store, "https://other.example")
    retries.forget_unreachable(store, ORIGIN)
    assert not retries.recently_unreachable(store, ORIGIN)


@pytest.mark.parametrize(("age", "counts"), [(540, True), (601, False), (-60, False)])
def test_the_memory_lasts_ten_minutes_of_a_clock_that_goes_forward(
    tmp_path: Path, age: float, counts: bool
) -> None:
    (tmp_path / "unreachable.json").write_text(json.dumps({ORIGIN: time.time() - age}))
    assert retries.recently_unreachable(Store(tmp_path), ORIGIN) is counts


@pytest.mark.parametrize("content", ["{", "[]", '{"https://models.example": "now"}', "\xff"])
def test_a_damaged_memory_is_no_memory(tmp_path: Path, content: str) -> None:
    (tmp_path / "unreachable.json").write_text(content, "latin-1")
    store = Store(tmp_path)
    assert not retries.recently_unreachable(store, ORIGIN)
    retries.remember_unreachable(store, ORIGIN)
    assert retries.recently_unreachable(store, ORIGIN)
