"""The ways to give photos to the page, each used as a visitor does, in a real Chromium."""

from __future__ import annotations

import base64
import csv
import io
import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, features

from tests.browser import (
    SAMPLES,
    sample_png,
)
from tests.page_driver import (
    HEIC,
    LONGEST_TASK,
    OTHER_DECODER,
    SAME_PIXELS,
    WATCH_TASKS,
    Tags,
    alert,
    assert_same,
    give,
    open_page,
    shown_tags,
    tagged_anew,
    until_done,
)
from tests.watchdog import HANG_MS
from toolchain.records import build_report

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

pytestmark = pytest.mark.xdist_group("inputs")

TAGGED = HANG_MS

# What a page would do that reads its photo on the main thread; returns the milliseconds it takes.
READ_IN_THE_PAGE = """
() => {
  const begun = performance.now();
  const image = document.querySelector('#photo img');
  const canvas = document.createElement('canvas');
  canvas.width = image.naturalWidth;
  canvas.height = image.naturalHeight;
  const context = canvas.getContext('2d');
  context.drawImage(image, 0, 0);
  context.getImageData(0, 0, canvas.width, canvas.height);
  return performance.now() - begun;
}
"""


@pytest.fixture
def context_options() -> dict[str, Any]:
    """It may use the clipboard."""
    return {"permissions": ["clipboard-read", "clipboard-write"]}


def drop_files(page: Page, *paths: Path) -> None:
    """Drop files or folders from outside the browser."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 200, "data": data})


# ------------------------------------------------------------------ clipboard and drop


def test_a_picture_comes_from_the_clipboard(
    page: Page, url: str, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    photo = sample_png("rocket", tmp_path)
    open_page(page, url)
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.evaluate(
        """async (base64) => {
            const blob = await (await fetch(`data:image/png;base64,${base64}`)).blob();
            await navigator.clipboard.write([new ClipboardItem({'image/png': blob})]);
        }""",
        base64.b64encode(photo.read_bytes()).decode(),
    )
    page.keyboard.press("Control+V")
    assert_same(tagged_anew(page), reference(photo), SAME_PIXELS)


def test_a_dropped_folder_gives_the_pictures_in_it(page: Page, url: str, tmp_path: Path) -> None:
    folder = tmp_path / "holidays"
    (folder / "first day").mkdir(parents=True)
    shutil.copyfile(SAMPLES / "cat.jpg", folder / "cat.jpg")
    shutil.copyfile(SAMPLES / "palace.jpg", folder / "first day" / "palace.jpg")
    (folder / "desktop.ini").write_text("no picture", "utf-8")
    open_page(page, url)
    drop_files(page, folder)
    until_done(page, 2)
    assert page.locator(".cell-name").all_inner_texts() == ["cat.jpg", "palace.jpg"]


def test_a_dropped_file_is_the_photo(
    page: Page, url: str, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    photo = sample_png("palace", tmp_path)
    open_page(page, url)
    page.evaluate("document.querySelector('#tags').textContent = ''")
    drop_files(page, photo)
    assert_same(tagged_anew(page), reference(photo), SAME_PIXELS)
    assert page.locator("#gallery").is_hidden()


# ---------------------------------------------------------------------- many photos


def saved(page: Page, button: str) -> bytes:
    """Press a button that saves a file, and return that."""
    with page.expect_download() as download:
        page.click(button)
    return Path(download.value.path()).read_bytes()


def saved_record(page: Page) -> Any:
    return json.loads(saved(page, "#gallery-json"))


def test_many_photos_are_a_grid_that_can_be_saved(
    page: Page,
    url: str,
    embedded_site: Path,
    reference: Callable[[Path], Tags],
    tmp_path: Path,
) -> None:
    cat, palace = sample_png("cat", tmp_path), sample_png("palace", tmp_path)
    formula = palace.rename(tmp_path / "=1+1,\u00a0“Palast”.png")
    files = {
        "cat.png": cat.read_bytes(),
        formula.name: formula.read_bytes(),
        "notes.png": b"no picture at all",
        "cut.jpg": (SAMPLES / "rocket.jpg").read_bytes()[:20],
        "phone.heic": HEIC,
        "empty.jpg": b"",
    }
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    open_page(page, url)
    page.set_input_files("#file", [tmp_path / name for name in files])
    until_done(page, len(files))
    assert page.inner_text("#gallery-done") == ("6 photos are done; 4 of them could not be tagged.")

    provenance = build_report.read(embedded_site).card.provenance
    record = saved_record(page)
    assert record["schema"] == 1
    assert record["model"] == {"name": provenance.name, "sha256": provenance.sha256}
    photos = {photo["file"]: photo for photo in record["photos"]}
    assert list(photos) == list(files)
    for photo in (cat, formula):
        tags = [(tag["index"], tag["score"]) for tag in photos[photo.name]["tags"]]
        assert_same(tags, reference(photo), SAME_PIXELS)
        assert photos[photo.name]["error"] is None
    for name, said in (
        ("notes.png", "not a picture"),
        ("cut.jpg", "damaged"),
        ("phone.heic", "HEIC"),
        ("empty.jpg", "empty"),
    ):
        assert said in photos[name]["error"]
        assert photos[name]["tags"] == []

    table = saved(page, "#gallery-csv")
    assert table.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(table.decode("utf-8-sig"), newline="")))
    assert [row["file"] for row in rows] == [
        f"'{name}" if name.startswith("=") else name for name in files
    ]
    for row, photo in zip(rows, record["photos"], strict=True):
        assert row["error"] == (photo["error"] or "")
        assert row["sha256"] == provenance.sha256
        for rank, tag in enumerate(photo["tags"], 1):
            assert row[f"label_{rank}"] == tag["label"]
            assert int(row[f"index_{rank}"]) == tag["index"]
            assert float(row[f"score_{rank}"]) == tag["score"]

    assert page.locator(".cell[data-thumbnail=shown]").count() == 2
    # A photo of the grid can be looked at by itself, by keys alone.
    page.focus(".cell:nth-child(2) button")
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.keyboard.press("Enter")
    assert_same(tagged_anew(page), reference(formula), SAME_PIXELS)
    page.click("#gallery-clear")
    assert page.locator("#gallery").is_hidden()


def test_a_gallery_gives_way_to_a_photo_pauses_and_goes_on(
    page: Page, url: str, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    many = [tmp_path / f"{number}.png" for number in range(24)]
    with Image.open(SAMPLES / "cat.jpg") as image:
        for photo in many:
            image.resize((96, 96)).save(photo)
    open_page(page, url)
    page.set_input_files("#file", many)
    page.wait_for_selector(".cell[data-cell=tagged]", timeout=TAGGED)
    page.click("#gallery-pause")
    count = page.inner_text("#gallery-count")
    assert page.inner_text("#gallery-pause") == "Go on"
    single = sample_png("espresso", tmp_path)
    give(page, single)
    assert_same(shown_tags(page), reference(single), SAME_PIXELS)
    assert page.inner_text("#gallery-count") == count
    page.click("#gallery-pause")
    page.wait_for_selector("#gallery[data-gallery=tagging]")
    give(page, sample_png("palace", tmp_path))
    until_done(page, len(many))
    assert_same(shown_tags(page), reference(tmp_path / "palace.png"), SAME_PIXELS)
    firsts = {photo["tags"][0]["index"] for photo in saved_record(page)["photos"]}
    assert firsts == {reference(many[0])[0][0]}


# ------------------------------------------------------------------ formats and sizes


def test_every_exif_orientation_and_format_shows_the_same_photo(
    page: Page, url: str, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    upright = sample_png("espresso", tmp_path)
    # What undoes each of EXIF's orientations, from 1 on.
    turns = (
        None,
        Image.Transpose.FLIP_LEFT_RIGHT,
        Image.Transpose.ROTATE_180,
        Image.Transpose.FLIP_TOP_BOTTOM,
        Image.Transpose.TRANSPOSE,
        Image.Transpose.ROTATE_90,
        Image.Transpose.TRANSVERSE,
        Image.Transpose.ROTATE_270,
    )
    expected = {}
    with Image.open(upright) as image:
        for orientation, turn in enumerate(turns, 1):
            exif = Image.Exif()
            exif[0x0112] = orientation
            turned = image if turn is None else image.transpose(turn)
            turned.save(tmp_path / f"{orientation}.png", exif=exif)
            expected[f"{orientation}.png"] = (upright, SAME_PIXELS)
            turned.save(tmp_path / f"{orientation}.jpg", exif=exif, quality=95)
            expected[f"{orientation}.jpg"] = (tmp_path / f"{orientation}.jpg", OTHER_DECODER)
        for kind, settings, tolerance in (
            ("webp", {"lossless": True}, SAME_PIXELS),
            ("avif", {"quality": 95}, OTHER_DECODER),
        ):
            if features.check(kind):
                image.save(tmp_path / f"photo.{kind}", **settings)
                expected[f"photo.{kind}"] = (tmp_path / f"photo.{kind}", tolerance)
    open_page(page, url)
    page.set_input_files("#file", [tmp_path / name for name in expected])
    until_done(page, len(expected))
    photos = {photo["file"]: photo["tags"] for photo in saved_record(page)["photos"]}
    for name, (photo, tolerance) in expected.items():
        tags = [(tag["index"], tag["score"]) for tag in photos[name]]
        assert_same(tags[:1], reference(photo)[:1], tolerance)
    if not features.check("avif"):
        pytest.skip("all but AVIF was checked: this Pillow cannot write it")


def test_a_heic_photo_is_named_with_the_way_out(page: Page, url: str) -> None:
    open_page(page, url)
    # The name says JPEG, the bytes do not: so phones and messengers rename them.
    page.set_input_files("#file", {"name": "IMG_1.jpg", "mimeType": "image/jpeg", "buffer": HEIC})
    sentence = alert(page)
    assert "“IMG_1.jpg” is a HEIC file" in sentence
    assert "JPEG" in sentence


def test_fifty_megapixels_leave_the_page_awake(
    page: Page, url: str, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    photo = tmp_path / "large.jpg"
    with Image.open(SAMPLES / "palace.jpg") as image:
        image.resize((8660, 5774), Image.Resampling.BILINEAR).save(photo, quality=85)
    open_page(page, url)
    page.evaluate(WATCH_TASKS)
    give(page, photo)
    tags = shown_tags(page)
    page.wait_for_selector("#photo[data-photo=shown]", timeout=TAGGED)
    natural = page.eval_on_selector(
        "#photo img", "image => [image.naturalWidth, image.naturalHeight]"
    )
    assert natural == [8660, 5774]
    page.wait_for_timeout(500)  # in which a late task would still be noted
    tasks = page.evaluate("window.tasks")
    assert max(tasks, default=0) < LONGEST_TASK * page.evaluate(READ_IN_THE_PAGE)
    # Chromium shrinks the crop to the longest side that is read pixel by pixel.
    assert_same(tags[:3], reference(photo)[:3], OTHER_DECODER)
