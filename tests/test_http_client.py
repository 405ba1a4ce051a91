"""The HTTP client: resumption, redirects, limits; against a real server."""

from __future__ import annotations

import dataclasses
import http.server
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import mirror as hub
from tests.mirror import Heard, Mirror, Reply
from tests.watchdog import HANG_S
from toolchain.errors import SourceError
from toolchain.sources import http_client, retries
from toolchain.sources.retries import AttemptError, NetworkPolicy

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POLICY = NetworkPolicy(
    connect_timeout=HANG_S,
    answer_timeout=HANG_S,
    stall_timeout=HANG_S,
    deadline=HANG_S,
    backoff_base=0.01,
)
BODY = bytes(range(256)) * 4096  # 1 MiB
PROXIES = ("http_proxy", "https_proxy", "all_proxy", "no_proxy")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, *map(str.upper, PROXIES), "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with hub.running() as running:
        yield running


def download(url: str, path: Path, heard: Heard, *, limit: int = 1 << 30) -> None:
    """Fetch with retries, as sources do."""

    def once(deadline: float) -> None:
        http_client.download(
            url,
            path,
            label="it",
            policy=POLICY,
            deadline=deadline,
            progress=heard,
            limit=limit,
        )

    retries.with_retries(url, once, policy=POLICY, progress=heard)


def test_a_download_that_was_cut_off_goes_on_where_it_ended(mirror: Mirror, tmp_path: Path) -> None:
    whole = Reply(BODY, etag='"one"')
    cut = [dataclasses.replace(whole, cut_at=length) for length in (300_000, 200_000)]
    url = mirror.serve("/m", *cut, whole)
    heard = Heard()
    download(url, tmp_path / "m", heard)
    assert (tmp_path / "m").read_bytes() == BODY
    assert mirror.said("/m", "Range") == [None, "bytes=300000-", "bytes=500000-"]
    assert mirror.said("/m", "If-Range") == [None, '"one"', '"one"']
    assert heard.bytes == heard.total == len(BODY)
    assert ["cut off" in line for line in heard.said] == [True, True]


def test_it_goes_on_behind_a_redirect_too(mirror: Mirror, tmp_path: Path) -> None:
    whole = Reply(BODY, etag='"one"')
    mirror.serve("/storage", dataclasses.replace(whole, cut_at=300_000), whole)
    url = mirror.serve("/m", hub.redirect("/storage"))
    download(url, tmp_path / "m", Heard())
    assert (tmp_path / "m").read_bytes() == BODY
    assert mirror.said("/storage", "Range") == [None, "bytes=300000-"]


def test_other_content_is_fetched_from_the_start(mirror: Mirror, tmp_path: Path) -> None:
    old = Reply(b"old" * 100_000, cut_at=200_000, etag='"old"')
    url = mirror.serve("/m", old, Reply(BODY, etag='"new"'))
    download(url, tmp_path / "m", Heard())
    assert (tmp_path / "m").read_bytes() == BODY
    assert mirror.said("/m", "If-Range") == [None, '"old"']


@pytest.mark.parametrize("headers", [{}, {"ETag": 'W/"weak"'}], ids=["no ETag", "a weak ETag"])
def test_without_a_strong_etag_it_begins_anew(
    mirror: Mirror, tmp_path: Path, headers: dict[str, str]
) -> None:
    whole = Reply(BODY, headers=headers)
    url = mirror.serve("/m", dataclasses.replace(whole, cut_at=300_000), whole)
    download(url, tmp_path / "m", Heard())
    assert (tmp_path / "m").read_bytes() == BODY
    assert mirror.said("/m", "Range") == [None, None]


@pytest.mark.parametrize(
    "wrong",
    [
        Reply(BODY[9:], status=206, headers={"Content-Range": "bytes 9-1048575/1048576"}),
        Reply(BODY[300_000:], status=206),
        Reply(
            BODY[300_000:],
            status=206,
            headers={"Content-Range": "bytes 300000-1048575/1048576", "ETag": '"two"'},
        ),
        Reply(status=416),
    ],
    ids=["another part", "a part without its place", "a part of other content", "no part"],
)
def test_a_part_that_does_not_fit_is_not_put_together(
    mirror: Mirror, tmp_path: Path, wrong: Reply
) -> None:
    whole = Reply(BODY, etag='"one"')
    url = mirror.serve("/m", dataclasses.replace(whole, cut_at=300_000), wrong, whole)
    heard = Heard()
    download(url, tmp_path / "m", heard)
    assert (tmp_path / "m").read_bytes() == BODY
    assert mirror.said("/m", "Range") == [None, "bytes=300000-", None]
    assert heard.bytes == len(BODY)


@pytest.mark.parametrize("announced", [True, False])
def test_more_than_the_limit_is_not_taken(
    mirror: Mirror, tmp_path: Path, announced: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not announced:
        monkeypatch.setattr(http.server.BaseHTTPRequestHandler, "send_header", _without_length)
    url = mirror.serve("/m", Reply(BODY))
    heard = Heard()
    with pytest.raises(SourceError, match="sends more than 500,000 bytes"):
        download(url, tmp_path / "m", heard, limit=500_000)
    assert heard.bytes <= 500_000
    assert (heard.total is not None) == announced
    assert mirror.asked("/m") == 1


_send_header = http.server.BaseHTTPRequestHandler.send_header


def _without_length(self: http.server.BaseHTTPRequestHandler, name: str, value: str) -> None:
    if name != "Content-Length":
        _send_header(self, name, value)


def ask(url: str) -> tuple[bytes, int | None]:
    return http_client.ask(url, POLICY)


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("file:///etc/passwd", "redirects to file:, which is not followed"),
        ("ftp://127.0.0.1/m", "redirects to ftp:, which is not followed"),
        ("http://[", "redirects to an invalid address"),
    ],
)
def test_a_redirect_to_no_http_is_not_followed(mirror: Mirror, target: str, said: str) -> None:
    with pytest.raises(AttemptError, match=said):
        ask(mirror.serve("/m", hub.redirect(target)))


def test_fetching_imports_no_tensorflow(mirror: Mirror, tmp_path: Path) -> None:
    url = mirror.serve("/m", Reply(hub.archive()))
    script = (
        "import sys; from pathlib import Path; from toolchain.progress import Silent\n"
        "from toolchain.sources import tfhub; from toolchain.sources.retries import NetworkPolicy\n"
        "from toolchain.cache.store import Store\n"
        "tfhub.fetch(sys.argv[1], store=Store(Path(sys.argv[2])), policy=NetworkPolicy(),"
        " progress=Silent())\n"
        "print(*{'tensorflow', 'keras', 'tensorflow_hub', 'requests'} & set(sys.modules))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, url, tmp_path / "store"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout == "\n", done.stderr
