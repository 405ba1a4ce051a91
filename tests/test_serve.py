"""`toolchain serve`: types, encodings and cache headers as a good static host sends them."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from tests.test_servers import get as answer
from toolchain.errors import BadInputError, ToolchainError
from toolchain.site.server import application, beside, serve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# What a template of one's own may bring, as IANA lists the types.
MORE = {
    ".mjs": "text/javascript",
    ".MJS": "text/javascript",
    ".json": "application/json",
    ".map": "application/json",
    ".webmanifest": "application/manifest+json",
    ".svg": "image/svg+xml",
    ".avif": "image/avif",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".JPG": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".ico": "image/vnd.microsoft.icon",
    ".css": "text/css",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".ttf": "font/ttf",
    ".xml": "application/xml",
    ".csv": "text/csv",
    ".mp4": "video/mp4",
    ".unknown": "application/octet-stream",
}
HASHED = "assets/page.0123456789abcdef.js"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served")
    for path, content in {
        "index.html": b"<!doctype html><title>site</title>",
        "sw.js": b"'use strict';",
        HASHED: b"export {};" * 50,
        f"{HASHED}.br": b"brotli",
        f"{HASHED}.gz": b"gzip's bytes",
        "assets/kernels-AbCd_123.wasm": b"\0asm",
        "model/shard.0123456789abcdef.bin": b"\0\1\2",
        **{f"more/file{suffix}": b"content" for suffix in MORE},
    }.items():
        (folder / path).parent.mkdir(exist_ok=True)
        (folder / path).write_bytes(content)
    (folder.parent / "secret.txt").write_text("outside", "utf-8")
    return folder


@pytest.fixture(scope="module")
def port(site: Path) -> Iterator[int]:
    command = [sys.executable, "-m", "toolchain", "serve", str(site), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        match = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
        assert match, line
        yield int(match[1])
        process.terminate()


def get(port: int, path: str, encodings: str = "") -> tuple[int, dict[str, str], bytes]:
    return answer(f"http://127.0.0.1:{port}/", path.removeprefix("/"), encodings)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        (f"/{HASHED}", "text/javascript"),
        ("/assets/kernels-AbCd_123.wasm", "application/wasm"),
        ("/model/shard.0123456789abcdef.bin", "application/octet-stream"),
        *((f"/more/file{suffix}", kind) for suffix, kind in MORE.items()),
    ],
)
def test_each_kind_of_file_has_its_type(port: int, path: str, kind: str) -> None:
    status, headers, _ = get(port, path)
    assert status == 200
    assert headers["content-type"].split(";")[0] == kind


@pytest.mark.parametrize("path", ["", HASHED, "more/file.mjs", "more/file.MJS"])
def test_what_runs_has_the_pages_policy(port: int, path: str) -> None:
    assert "script-src 'self'" in get(port, f"/{path}")[1]["content-security-policy"]


@pytest.mark.parametrize(
    ("accepted", "encoding", "body"),
    [
        ("br, gzip", "br", b"brotli"),
        ("gzip", "gzip", b"gzip's bytes"),
        ("", None, b"export {};" * 50),
    ],
)
def test_precompressed_files_go_to_whoever_accepts_them(
    port: int, accepted: str, encoding: str | None, body: bytes
) -> None:
    _, headers, received = get(port, f"/{HASHED}", accepted)
    assert headers.get("content-encoding") == encoding
    assert received == body
    assert "accept-encoding" in headers["vary"].lower()


def test_hashed_names_are_kept_for_ever_and_the_page_is_not(port: int) -> None:
    for path in (HASHED, "assets/kernels-AbCd_123.wasm", "model/shard.0123456789abcdef.bin"):
        assert "immutable" in get(port, f"/{path}")[1]["cache-control"]
    assert "immutable" not in get(port, "/")[1].get("cache-control", "")


def test_the_service_worker_is_not_asked_for_within_minutes(port: int) -> None:
    assert get(port, "/sw.js")[1]["cache-control"] == "public, max-age=300"
    assert get(port, "/")[1]["cache-control"] == "no-cache"


@pytest.mark.parametrize("path", ["/nothing.js", "/../secret.txt", "/%2e%2e/secret.txt"])
def test_what_is_not_in_the_site_is_not_found(port: int, path: str) -> None:
    status, _, body = get(port, path)
    assert status == 404
    assert b"outside" not in body


def test_a_folder_without_a_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="build one with `toolchain build`"):
        application(tmp_path)


def test_a_taken_port_is_said_plainly(site: Path, port: int) -> None:
    with pytest.raises(ToolchainError, match=f"port {port} .*--port"):
        serve(site, port, ready=lambda _url: None)


def test_a_server_ends_though_its_loop_is_faster_than_the_call_that_ends_it(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from waitress.trigger import trigger

    pull = trigger._physical_pull

    def late(self: trigger) -> None:
        pull(self)
        time.sleep(0.1)  # by now the loop has called what it was woken for
        pull(self)

    with beside(application(site)) as url:
        assert answer(url, "")[0] == 200
        monkeypatch.setattr(trigger, "_physical_pull", late)
    with pytest.raises(OSError, match="refused"):
        answer(url, "")
