"""One table of headers: `toolchain serve`, nginx and Caddy send the same."""

from __future__ import annotations

import gzip
import http.client
from typing import TYPE_CHECKING

import brotli
import pytest

from tests import web_servers
from tests.watchdog import HANG_S
from toolchain.site import headers as table
from toolchain.site.host_files import headers_file, rules

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SCRIPT = "assets/page-Cf3xYz01.js"
FILES = {
    "index.html": "<!doctype html><title>site</title>" * 20,
    "404.html": "<!doctype html><title>There is no such page</title>",
    "sw.js": "'use strict';",
    "report.html": "<!doctype html><style>p{}</style>",
    "report.networks.json": "{}",
    SCRIPT: "export {};" * 50,
    "assets/tfjs-backend-wasm-simd-D2gECIS8.wasm": "\0asm",
    "assets/page-Cenmt_z5.css": "p{}" * 50,
    "model/shard.0123456789abcdef.bin": "\1\2\3",
    "samples/cat.0123456789abcdef.jpg": "jpeg",
    "contract.0123456789abcdef.bin": "contract",
    "assets/module-AbCd_123.mjs": "export {};",
    "module.mjs": "export {};",
    "page.js.map": "{}",
    "site.webmanifest": "{}",
    "icon.svg": "<svg/>",
    "photo.avif": "avif",
    "PHOTO.JPG": "jpeg",
    "feed.xml": "<feed/>",
    "unknown.thing": "anything",
}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "with space"
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    (folder / f"{SCRIPT}.br").write_bytes(brotli.compress(FILES[SCRIPT].encode()))
    (folder / f"{SCRIPT}.gz").write_bytes(gzip.compress(FILES[SCRIPT].encode()))
    (folder / ".toolchain").mkdir()
    (folder / ".toolchain" / "history.json").write_text("{}", "utf-8")
    for parent in (folder, *folder.parents[:2]):
        parent.chmod(0o755)  # nginx' workers are somebody else
    return folder


@pytest.fixture(scope="module", params=web_servers.NAMES)
def server(
    request: pytest.FixtureRequest, site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with web_servers.serving(request.param, site, tmp_path_factory.mktemp("server")) as url:
        yield url


def get(
    url: str, path: str, encodings: str = "", origin: str | None = None
) -> tuple[int, dict[str, str], bytes]:
    host = url.removeprefix("http://").rstrip("/")
    asking = {} if origin is None else {"Origin": origin}
    connection = http.client.HTTPConnection(host, timeout=HANG_S)
    connection.request("GET", f"/{path}", headers={"Accept-Encoding": encodings} | asking)
    response = connection.getresponse()
    headers = {name.lower(): value for name, value in response.getheaders()}
    body = response.read()
    connection.close()
    return response.status, headers, body


@pytest.mark.parametrize(
    "path", [*(path for path in FILES if path not in ("404.html", "index.html")), ""]
)
def test_every_server_sends_the_tables_headers(server: str, path: str) -> None:
    status, headers, body = get(server, path)
    assert status == 200
    assert body.decode() == FILES[path or "index.html"]
    wanted = {name.lower(): value for name, value in table.headers(path or "index.html").items()}
    assert {name: headers.get(name) for name in wanted} == wanted
    beyond = {"content-security-policy", "permissions-policy"} - set(wanted)
    assert not beyond & set(headers)


@pytest.mark.parametrize(
    ("accepted", "encoding"), [("gzip, br", "br"), ("gzip", "gzip"), ("", None)]
)
def test_every_server_negotiates_encodings(
    request: pytest.FixtureRequest, server: str, accepted: str, encoding: str | None
) -> None:
    if encoding == "br":
        web_servers.require_brotli(request.node.callspec.params["server"])
    _, headers, body = get(server, SCRIPT, accepted)
    assert headers.get("content-encoding") == encoding
    undo = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[encoding]
    assert undo(body).decode() == FILES[SCRIPT]
    assert "accept-encoding" in headers["vary"].lower()


@pytest.mark.parametrize("path", ["nothing.js", "model/none.0123456789abcdef.bin"])
def test_no_server_answers_for_a_file_that_is_not_there(server: str, path: str) -> None:
    assert get(server, path)[0] == 404


def test_no_server_shows_what_a_deploy_keeps(server: str) -> None:
    assert get(server, ".toolchain/history.json")[0] == 404


def test_no_two_rules_of_the_headers_file_hold_for_one_file() -> None:
    found = rules(FILES)
    for path in FILES:
        holding = [
            pattern
            for pattern in found
            if pattern == f"/{path}"
            or (pattern.endswith("*") and f"/{path}".startswith(pattern[:-1]))
        ]
        assert len(holding) == 1, path
        said = found[holding[0]]
        assert said["Cache-Control"] == table.cache_control(path)
        for name, value in table.security(path).items():
            assert said[name] == value


def test_the_headers_file_has_few_rules_and_short_lines() -> None:
    text = headers_file([*FILES, "_headers", f"{SCRIPT}.br"])
    patterns = [line for line in text.splitlines() if line and not line.startswith(" ")]
    assert "/assets/*" in patterns
    assert "/" in patterns
    assert f"/{SCRIPT}.br" not in patterns
    assert max(map(len, text.splitlines())) < 2000
