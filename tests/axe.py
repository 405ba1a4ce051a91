"""Audits the accessibility of a page, as it is shown, with axe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

    from tests.engine_driver import Engine

MODULES = Path(__file__).parents[1] / "web" / "node_modules"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDTHS = (320, 1280)
AUDIT = f"axe.run(document, {{runOnly: {TAGS}, rules: {{'target-size': {{enabled: true}}}}}})"


SOURCE = MODULES / "axe-core" / "axe.min.js"


def install(context: BrowserContext) -> None:
    """Load axe into every page of a context, under any Content-Security-Policy."""
    context.add_init_script(path=SOURCE)


def findings(page: Page) -> dict[tuple[str, int], list[str]]:
    """Return the faults by colour scheme and width; empty if there are none.

    All of axe's rules except the experimental ones are run. Colours that it cannot judge count as
    faults too, because a person has to look at them.
    """
    found = {}
    for scheme in ("light", "dark"):
        for width in WIDTHS:
            page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
            page.set_viewport_size({"width": width, "height": 800})
            if faults := _audit(page):
                found[scheme, width] = faults
    return found


def _audit(page: Page) -> list[str]:
    results: dict[str, list[dict[str, Any]]] = page.evaluate(f"() => {AUDIT}")
    doubtful = [rule for rule in results["incomplete"] if rule["id"] == "color-contrast"]
    return _faults(results, doubtful)


def faults_in(engine: Engine) -> list[str]:
    """Return the faults of the page that Firefox or WebKit shows, as it shows it.

    Colours that axe cannot judge there are left out: Chromium shows the same ones.
    """
    return _faults(engine.run(f"{SOURCE.read_text('utf-8')}; return await {AUDIT};"), [])


def _faults(results: dict[str, list[dict[str, Any]]], doubtful: list[dict[str, Any]]) -> list[str]:
    assert len(results["passes"]) > 20
    return [
        f"{rule['id']} at {node['target']}: {node['any'][0]['message'] if node['any'] else ''}"
        for rule in results["violations"] + doubtful
        for node in rule["nodes"]
    ]
