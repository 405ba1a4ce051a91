"""Audits the accessibility of a page, as it is shown, with axe."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

MODULES = Path(__file__).parents[1] / "web" / "node_modules"
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
WIDTHS = (320, 1280)


def install(context: BrowserContext) -> None:
    """Load axe into every page of a context, under any Content-Security-Policy."""
    context.add_init_script(path=MODULES / "axe-core" / "axe.min.js")


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
    results: dict[str, list[dict[str, Any]]] = page.evaluate(
        "tags => axe.run(document, {runOnly: tags, rules: {'target-size': {enabled: true}}})",
        TAGS,
    )
    assert len(results["passes"]) > 20
    doubtful = [rule for rule in results["incomplete"] if rule["id"] == "color-contrast"]
    return [
        f"{rule['id']} at {node['target']}: {node['any'][0]['message'] if node['any'] else ''}"
        for rule in results["violations"] + doubtful
        for node in rule["nodes"]
    ]
