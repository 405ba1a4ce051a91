"""Labels, names and licences that try to be more than text: shown as they are, or refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.browser import chromium, plain_host
from tests.page_driver import LOADED, open_page
from toolchain.errors import BadInputError
from toolchain.labels import reading as label_file
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.records.card import Declared, read_sidecar
from toolchain.site.configuration import PageOptions
from toolchain.sources.request import Request
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("labels")

RUN = "window.ran=(window.ran||0)+1"
LABELS = (
    f"<script>{RUN}</script>",
    f'"><img src=x onerror="{RUN}">',
    f"</template></script><svg onload='{RUN}'>",
    "{{ 7 * 7 }} {% raw %} &lt;b&gt; &amp; ${7*7} {label}",
    "\u200fقطة🐈 <!-- ]]> \\u003cscript\\u003e 'quoted' " + "long " * 60,
)


def test_labels_with_markup_are_shown_as_text_and_run_nothing(
    tiny: Path, tmp_path: Path, store: Store
) -> None:
    labels = tmp_path / "labels.txt"
    labels.write_text("\r\n".join(LABELS), "utf-8")
    read = label_file.read(labels).names
    assert read == tuple(label.strip() for label in LABELS)
    # The name is the file's, and the site's folder has an odd one too.
    model = tmp_path / f"<img src=x onerror={RUN}>"
    model.symlink_to(tiny, target_is_directory=True)
    options = BuildOptions(
        Request(str(model), lockfile=tmp_path / "toolchain.lock.json"),
        tmp_path / "<b>site</b> & more",
        weights=Stored("none"),
        declared=Declared(labels=read, value_range=(0.0, 1.0), licence=f"<script>{RUN}</script>"),
        page=PageOptions(title=f"</title><script>{RUN}</script>", description=f'"><b {RUN}>'),
    )
    report = build(options, store=store, progress=Silent())
    assert report.card.labels == read
    with plain_host(options.out) as origin, chromium() as browser:
        page = browser.new_page()
        open_page(page, origin)
        page.wait_for_selector("#tags li:nth-child(5)", timeout=LOADED)
        shown = page.inner_text("#tags")
        assert page.title() == f"</title><script>{RUN}</script>"
        assert page.inner_text("h1") == f"</title><script>{RUN}</script>"
        found = " ".join(shown.split())
        for label in read:
            assert " ".join(label.split()) in found
        assert (
            page.evaluate("document.querySelectorAll('#tags :is(script, img, svg, b)').length") == 0
        )
        assert page.evaluate("window.ran") is None
        # No line of the page is wider than the window, however long a label is.
        page.set_viewport_size({"width": 320, "height": 800})
        assert page.evaluate("document.documentElement.scrollWidth") <= 320
        page.goto(f"{origin}report.html")
        assert page.evaluate("window.ran") is None
        assert page.evaluate("document.scripts.length") == 0
        assert f"<script>{RUN}</script>" in page.inner_text("body")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("a\0b", r"line 2 .*U\+0000"),
        ("\x1b[2Jb", r"line 2 .*U\+001B"),
        ("a\u2028b", r"line 2 .*U\+2028"),
        ("a\x85b", r"line 2 .*U\+0085"),
        ("a\u202egnp.exe", r"line 2 .*U\+202E"),
        ("a\u2066b", r"line 2 .*U\+2066"),
        ("x" * 10_000, "line 2 .*more than 1,000 characters"),
        ("", "line 2 .* is empty"),
        (" \t", "line 2 .* is empty"),
    ],
)
def test_a_label_that_is_no_line_of_text_is_refused(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "labels.txt"
    path.write_text(f"cat\n{line}\ndog\n", "utf-8", newline="")
    with pytest.raises(BadInputError, match=said):
        label_file.read(path)
    if not line.strip():
        return
    (tmp_path / "m.toml").write_text(f"labels = {json.dumps(['cat', line])}", "utf-8")
    with pytest.raises(BadInputError, match=r"m\.toml: labels\.1: "):
        read_sidecar(tmp_path / "m.toml")


@pytest.mark.parametrize("key", ["name", "licence"])
def test_a_name_that_is_no_line_of_text_is_refused(tmp_path: Path, key: str) -> None:
    (tmp_path / "m.toml").write_text(f'{key} = "a\\u001b[2J"', "utf-8")
    with pytest.raises(BadInputError, match=rf"{key}: it holds the character U\+001B"):
        read_sidecar(tmp_path / "m.toml")


def test_a_million_labels_some_of_them_alike_are_read(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(f"thing {number // 2}" for number in range(1_000_000)), "utf-8")
    labels = label_file.read(path).names
    assert len(labels) == 1_000_000
    assert labels[-1] == labels[-2] == "thing 499999"


def test_labels_that_never_end_are_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").symlink_to("/dev/zero")
    with pytest.raises(BadInputError, match="is not a regular file"):
        label_file.read(tmp_path / "labels.txt")
    with (tmp_path / "large.txt").open("wb") as file:
        file.truncate(1 << 30)
    with pytest.raises(BadInputError, match="has more than 67,108,864 bytes"):
        label_file.read(tmp_path / "large.txt")
