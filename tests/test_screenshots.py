"""The page looks as it did when somebody last looked at it: screenshots against baselines.

The baselines in `tests/screenshots/` were each looked at before they were committed. After a
change of the looks write them anew by
`TOOLCHAIN_SCREENSHOTS=write pytest tests/test_screenshots.py`,
and look at each.

Tolerance: a pixel counts as another one if any of its channels differs by more than
`FELT` of 255, and at most `SHARE` of all pixels may. Text is in a font of the tests' own, so that
machines with other fonts agree; what is measured anew at each visit is painted over.
"""

from __future__ import annotations

import base64
import io
import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import pytest
from PIL import Image

from tests.watchdog import HANG_MS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.xdist_group("page")

BASELINES = Path(__file__).parent / "screenshots"
WRITES = os.environ.get("TOOLCHAIN_SCREENSHOTS") == "write"
FONTS = Path(__file__).parents[1] / "web/node_modules/@fontsource/inter/files"
FELT = 40
SHARE = 0.01
# What every visit measures anew, and the photos, of which decoders make other pixels.
CHANGING = (
    "#timing",
    "#backend",
    ".facts dd",
    ".falls td",
    ".falls [data-axis]",
    "#stages-end",
    "#photo img",
    ".sample img",
)
PLAIN = """
*, *::before, *::after { animation: none !important; transition: none !important;
  caret-color: transparent !important; }
html, button, select, input, textarea, code, pre { font-family: Inter !important; }
"""


@pytest.fixture(scope="module")
def browser_flags() -> tuple[str, ...]:
    return ("--hide-scrollbars", "--font-render-hinting=none")


def fonts() -> str:
    faces = []
    for weight in (400, 600, 700):
        content = (FONTS / f"inter-latin-{weight}-normal.woff2").read_bytes()
        data = base64.b64encode(content).decode()
        source = f"url(data:font/woff2;base64,{data})"
        faces.append(f"@font-face {{ font-family: Inter; font-weight: {weight}; src: {source}; }}")
    return "\n".join(faces)


def screenshot(
    browser: Browser, url: str, width: int, scheme: Literal["light", "dark"]
) -> Image.Image:
    """Return the whole page, as tagged, with its first photo."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,
        bypass_csp=True,  # for the tests' own font
        service_workers="block",
    )
    page = context.new_page()
    page.goto(f"{url}?backend=wasm")
    page.add_style_tag(content=fonts() + PLAIN)
    page.wait_for_selector("html[data-state=tagged] #tags li", timeout=HANG_MS)
    page.wait_for_selector(".sample img:not([data-src])", timeout=HANG_MS)
    page.eval_on_selector("#waterfall", "details => { details.open = true }")
    page.evaluate("document.fonts.ready.then(() => true)")
    taken = page.screenshot(
        full_page=True,
        mask=[page.locator(selector) for selector in CHANGING],
        mask_color="#808080",
    )
    context.close()
    return Image.open(io.BytesIO(taken)).convert("RGB")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 768, 1280])
def test_the_page_looks_as_it_did(
    browser: Browser, url: str, width: int, scheme: Literal["light", "dark"], tmp_path: Path
) -> None:
    file = BASELINES / f"page-{width}-{scheme}.png"
    seen = screenshot(browser, url, width, scheme)
    if WRITES:
        seen.quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    with Image.open(file) as baseline:
        looked_at = np.asarray(baseline.convert("RGB"), np.int16)
    now = np.asarray(seen, np.int16)
    seen.save(tmp_path / file.name)
    assert now.shape == looked_at.shape, f"see {tmp_path / file.name}"
    share = (np.abs(now - looked_at).max(axis=2) > FELT).mean()
    assert share <= SHARE, f"{share:.2%} of {tmp_path / file.name} differ from {file}"
