"""The built page in Chromium, served by nginx and by Caddy as `server-config` tells them to."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from tests import command_line, load
from tests.page_driver import OTHER_DECODER, assert_same, open_page, reference_of, shown_tags
from tests.test_second_visit import until_kept
from tests.web_servers import require_brotli, serving
from toolchain.records import build_report
from toolchain.site import build_info
from toolchain.site import headers as table
from toolchain.site.precompress import ENCODINGS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, ConsoleMessage, Response

pytestmark = pytest.mark.xdist_group("runtimes")

WATCH_POLICY = """
window.violations = [];
addEventListener('securitypolicyviolation', (event) =>
  window.violations.push(`${event.effectiveDirective} ${event.blockedURI}`));
"""


@pytest.fixture(scope="module", params=["nginx", "caddy"])
def url(
    request: pytest.FixtureRequest, embedded_site: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    with serving(request.param, embedded_site, tmp_path_factory.mktemp("server")) as address:
        yield address


def path_of(response: Response) -> str:
    return urlsplit(response.url).path.lstrip("/") or "index.html"


def check_response(response: Response, site: Path) -> None:
    """See that a file came from the server as the table and its neighbours say."""
    # Not `all_headers`, which of a revalidated file are only those of the 304.
    path, headers = path_of(response), response.headers
    assert response.status == 200, path
    wanted = {name.lower(): value for name, value in table.headers(path).items()}
    assert {name: headers.get(name) for name in wanted} == wanted, path
    packed = (site / f"{path}{ENCODINGS['br']}").is_file()
    assert headers.get("content-encoding") == ("br" if packed else None), path


def test_a_visit_is_tagged_by_the_tables_headers_and_the_next_is_the_service_workers(
    request: pytest.FixtureRequest, browser: Browser, url: str, embedded_site: Path
) -> None:
    require_brotli(request.node.callspec.params["url"])
    context = browser.new_context()
    context.add_init_script(WATCH_POLICY)
    page = context.new_page()
    responses: list[Response] = []
    complaints: list[str] = []

    def note(response: Response) -> None:
        responses.append(response)

    def note_error(message: ConsoleMessage) -> None:
        if message.type == "error":
            complaints.append(message.text)

    context.on("response", note)
    context.on("console", note_error)
    context.on("weberror", lambda error: complaints.append(str(error.error)))

    open_page(page, url)
    until_kept(page, embedded_site)
    photo = next((embedded_site / "samples").glob("cat.*"))
    expected = reference_of(embedded_site)(photo)
    assert_same(shown_tags(page), expected, OTHER_DECODER)

    for response in responses:
        if not response.from_service_worker:
            check_response(response, embedded_site)
    report = build_report.read(embedded_site)
    shards = {f"model/{shard}" for shard in report.artifacts.shards}
    came = {path_of(response) for response in responses}
    assert shards | {"index.html", "sw.js"} <= came
    assert any(path.endswith(".wasm") for path in came)
    assert page.evaluate("violations") == []
    isolating = "Cross-Origin-Embedder-Policy" in table.headers("index.html")
    assert page.evaluate("crossOriginIsolated") == isolating

    page.close()
    responses.clear()
    again = context.new_page()
    open_page(again, url)
    assert_same(shown_tags(again), expected, OTHER_DECODER)
    of_the_page = [response for response in responses if path_of(response) != "sw.js"]
    assert shards <= {path_of(response) for response in of_the_page}
    assert [path_of(each) for each in of_the_page if not each.from_service_worker] == []
    assert again.evaluate("violations") == []
    assert complaints == []
    context.close()


def test_under_load_every_answer_comes_whole(url: str, embedded_site: Path) -> None:
    files = build_info.read((embedded_site / build_info.NAME).read_bytes(), "here").files
    paths = ["" if path == "index.html" else path for path in files if path != "404.html"]
    seconds, asked = 2, 0
    while asked <= len(paths):  # each file at least once, however long this machine takes
        found = load.run(url, paths, seconds=seconds)
        assert (found.refused, found.broken) == (0, 0)
        asked, seconds = found.requests, 2 * seconds


def test_verify_passes_and_measures(url: str, embedded_site: Path) -> None:
    done = command_line.run("verify", url, "--site", embedded_site)
    assert done.returncode == 0, done.stderr
    assert "'wasm-unsafe-eval'" in done.stdout
    assert "first tag" in done.stdout
