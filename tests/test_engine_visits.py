"""`toolchain measure --browser`: visits in Firefox and WebKitGTK."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import command_line, engines, reports
from toolchain.records.visit_figures import EngineVisits

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("engines")


@pytest.fixture(scope="module")
def built(tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("visited") / "site"
    reports.tiny_site(tiny, out, session_store)
    return out


@pytest.mark.parametrize("browser", ["firefox", "webkit"])
def test_visits_are_measured(built: Path, browser: str) -> None:
    if reason := engines.lacking(browser):
        pytest.skip(reason)
    before = (built / "report.json").read_bytes()
    words = ("measure", built, "--browser", browser, "--network", "none", "--runs", "1")
    done = command_line.run(*words, "--json", "--backend", "wasm")
    assert done.returncode == 0, done.stderr
    found = EngineVisits.model_validate_json(done.stdout)
    assert found.browser.lower().startswith(browser)
    assert (found.ran_on, found.host, found.runs) == ("wasm", "toolchain", 1)
    assert found.first_tag_ms.median > 0
    assert found.repeat_first_tag_ms.median > 0
    assert found.first_bytes is not None
    assert found.repeat_bytes is not None
    # The service worker answers the second visit.
    assert found.repeat_bytes < found.first_bytes / 20
    assert found.inference_ms is not None
    assert (built / "report.json").read_bytes() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--browser", "firefox"), "only Chromium's network can be throttled; measure other"),
        (("--browser", "webkit", "--energy"), "--energy needs --browser chromium, which tells"),
        (("--browser", "safari"), "--browser"),
    ],
)
def test_what_only_chromium_can_do_is_said(built: Path, words: tuple[str, ...], said: str) -> None:
    done = command_line.run("measure", built, *words)
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert line.startswith("toolchain: ")
    assert said in line
