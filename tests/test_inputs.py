"""The ways to give photos to the page, each used as a visitor does, in a real Chromium."""

from __future__ import annotations

import base64
import csv
import io
import json
import os
import re
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image, features

from tests.browser import (
    FLAGS,
    SAMPLES,
    chromium,
    chromium_path,
    plain_host,
    sample_png,
    toolchain_serve,
)
from tests.films import film_of, picture_of
from tests.other_site import other_site
from tests.page_driver import (
    LOADED,
    SAME_PIXELS,
    SECONDS,
    Tags,
    assert_same,
    give,
    open_page,
    reference_of,
    shown_tags,
)
from toolchain.report import schema

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.xdist_group("inputs")

TAGGED = 30 * SECONDS
# Chromium's decoders of films and of lossy pictures round in other places than Python's.
OTHER_DECODER = 0.03
# What the visitor would feel; a browser calls a task long from 50 ms on.
LONGEST_TASK_MS = 200

FAKE_CAMERA = ("--use-fake-device-for-media-stream",)
INSECURE = "--host-resolver-rules=MAP toolchain.test 127.0.0.1"

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(100)

# As far as a headless browser can: it never hides a page.
HIDE = """
Object.defineProperty(document, 'hidden', {configurable: true, get: () => true});
Object.defineProperty(document, 'visibilityState', {configurable: true, get: () => 'hidden'});
document.dispatchEvent(new Event('visibilitychange'));
"""
WATCH_TASKS = """
window.tasks = [];
new PerformanceObserver((list) => window.tasks.push(...list.getEntries().map((e) => e.duration)))
  .observe({type: 'longtask'});
"""


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the camera sees."""
    return film_of(SAMPLES / "espresso.jpg", tmp_path_factory.mktemp("film") / "espresso.y4m")


@pytest.fixture(scope="module")
def browser(film: Path) -> Iterator[Browser]:
    with chromium(*FAKE_CAMERA, f"--use-file-for-fake-video-capture={film}", INSECURE) as running:
        yield running


@pytest.fixture(scope="module")
def url(embedded_site: Path) -> Iterator[str]:
    with toolchain_serve(embedded_site) as served:
        yield served


@pytest.fixture(scope="module")
def reference(embedded_site: Path) -> Callable[[Path], Tags]:
    return reference_of(embedded_site)


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A profile of its own, which may use the camera and the clipboard."""
    made = browser.new_context(permissions=["camera", "clipboard-read", "clipboard-write"])
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page whose script may not fail."""
    opened = context.new_page()
    errors: list[str] = []
    opened.on("pageerror", lambda error: errors.append(str(error)))
    yield opened
    assert errors == []


def tagged_anew(page: Page) -> Tags:
    """Wait for the tags of what was just given, and return them."""
    page.wait_for_selector("html[data-state=tagged] #tags li", timeout=TAGGED)
    return shown_tags(page)


def alert(page: Page) -> str:
    """Wait for a sentence about what went wrong."""
    page.wait_for_selector("[role=alert]:visible", timeout=TAGGED)
    return page.inner_text("#alert-text")


def drop_files(page: Page, *paths: Path) -> None:
    """Drop files or folders from outside the browser."""
    session = page.context.new_cdp_session(page)
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 200, "y": 200, "data": data})


# ------------------------------------------------------------------------ the camera


def go_live(page: Page) -> None:
    page.click("#camera")
    page.wait_for_selector("html[data-state=live] #photo[data-frames-answered]", timeout=LOADED)


def frames(page: Page) -> dict[str, int]:
    """Return how many frames were shown, taken and answered."""
    data = page.eval_on_selector("#photo", "photo => ({...photo.dataset})")
    return {
        name: int(data[key])
        for name, key in (
            ("shown", "framesShown"),
            ("taken", "framesTaken"),
            ("answered", "framesAnswered"),
        )
    }


def until_answered(page: Page, count: int) -> dict[str, int]:
    deadline = time.monotonic() + LOADED / 1000
    while (seen := frames(page))["answered"] < count:
        assert time.monotonic() < deadline, seen
        page.wait_for_timeout(50)
    return seen


def track_state(page: Page) -> str:
    state: str = page.evaluate("window.track.readyState")
    return state


def keep_track(page: Page) -> None:
    """Keep hold of the camera's track, which the page lets go."""
    page.evaluate("window.track = document.querySelector('video').srcObject.getTracks()[0]")


def test_the_camera_is_tagged_live_as_python_tags_its_picture(
    page: Page, url: str, film: Path, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    open_page(page, url)
    go_live(page)
    row = page.query_selector("#tags li")
    before = until_answered(page, 3)
    tensors = page.get_attribute("#tags", "data-tensors")
    after = until_answered(page, before["answered"] + 10)
    assert_same(shown_tags(page), reference(picture_of(film, tmp_path / "seen.png")), OTHER_DECODER)
    # One frame is with the worker and none waits; nothing of those before is left.
    assert after["taken"] == after["answered"] <= after["shown"]
    assert page.get_attribute("#tags", "data-tensors") == tensors
    # The rows stay and are not read out; how fast it goes is said.
    assert row is not None
    assert row.evaluate("row => row.isConnected")
    assert page.get_attribute(".tags-place", "aria-live") == "off"
    assert re.fullmatch(r"[1-9]\d* pictures a second, .* each\.", page.inner_text("#timing"))
    assert page.inner_text("#camera-spoken") == "espresso"


def test_a_stopped_camera_is_off_and_leaves_its_last_picture_as_the_photo(
    page: Page, url: str, film: Path, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    open_page(page, url)
    go_live(page)
    keep_track(page)
    assert page.inner_text("#camera") == "Stop the camera"
    page.click("#camera")
    assert track_state(page) == "ended"
    expected = reference(picture_of(film, tmp_path / "seen.png"))
    assert_same(tagged_anew(page), expected, OTHER_DECODER)
    page.wait_for_selector("#photo[data-photo=shown] img[src^=blob]")
    assert page.locator("video").count() == 0
    go_live(page)


def test_a_camera_that_nobody_sees_stops_and_says_so(page: Page, url: str) -> None:
    open_page(page, url)
    go_live(page)
    keep_track(page)
    page.evaluate(HIDE)
    assert track_state(page) == "ended"
    assert "nobody saw this page" in page.inner_text("#camera-note")
    assert tagged_anew(page)
    assert page.inner_text("#camera") == "Camera"


def test_another_photo_takes_the_cameras_place(
    page: Page, url: str, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    open_page(page, url)
    go_live(page)
    keep_track(page)
    photo = sample_png("palace", tmp_path)
    give(page, photo)
    assert track_state(page) == "ended"
    assert_same(shown_tags(page), reference(photo), SAME_PIXELS)
    page.wait_for_selector("#photo[data-photo=shown]")
    page.wait_for_timeout(300)
    assert_same(shown_tags(page), reference(photo), SAME_PIXELS)


def test_a_slow_model_drops_frames_and_keeps_the_page_awake(page: Page, url: str) -> None:
    open_page(page, f"{url}?backend=cpu")
    page.evaluate(WATCH_TASKS)
    go_live(page)
    until_answered(page, 2)
    begin, start = frames(page), time.monotonic()
    end = until_answered(page, begin["answered"] + 3)
    seconds = time.monotonic() - start
    assert end["taken"] - begin["taken"] == 3
    assert end["shown"] - begin["shown"] > 3 + seconds  # far more than those that were taken
    assert max(page.evaluate("window.tasks"), default=0) < LONGEST_TASK_MS


def test_the_camera_waits_for_the_model_and_stays_through_another_backend(
    page: Page, url: str
) -> None:
    held: list[Any] = []

    def hold(route: Any) -> None:
        held.append(route)

    page.route("**/*shard1of*", hold)
    page.goto(url)
    page.click("#camera")
    page.wait_for_selector("#photo[data-photo=live] video")
    assert page.get_attribute("html", "data-state") == "loading"
    deadline = time.monotonic() + LOADED / 1000
    while not held:
        assert time.monotonic() < deadline
        page.wait_for_timeout(50)
    held.pop().continue_()
    page.wait_for_selector("html[data-state=live] #tags li", timeout=LOADED)
    page.unroute("**/*shard1of*")
    page.select_option("#backend-choice", "cpu")
    page.wait_for_selector("html[data-state=live] #backend[data-backend=cpu]", timeout=LOADED)
    before = frames(page)["answered"]
    until_answered(page, before + 2)
    assert page.get_attribute("#tags li", "data-label") == "espresso"


def test_a_camera_that_is_not_allowed_gets_a_sentence(browser: Browser, url: str) -> None:
    context = browser.new_context()
    page = context.new_page()
    open_page(page, url)
    before = shown_tags(page)
    page.click("#camera")
    assert "not allowed" in alert(page)
    assert page.inner_text("#camera") == "Camera"
    assert shown_tags(page) == before
    # Neither TLS nor loopback's address: no browser offers it there.
    open_page(page, url.replace("127.0.0.1", "toolchain.test"))
    page.click("#camera")
    assert "https://" in alert(page)
    context.close()


def test_where_there_is_no_camera_the_page_says_so(browser: Browser, url: str) -> None:
    # One Playwright cannot be started within another.
    without = browser.browser_type.launch(executable_path=chromium_path(), args=[*FLAGS])
    page = without.new_context(permissions=["camera"]).new_page()
    open_page(page, url)
    page.click("#camera")
    assert "no camera" in alert(page)
    without.close()


# ------------------------------------------------------------------------- addresses


@pytest.fixture
def elsewhere(tmp_path: Path) -> Iterator[Any]:
    files = {
        "palace.png": ("image/png", sample_png("palace", tmp_path).read_bytes()),
        "album.html": ("text/html; charset=utf-8", b"<!doctype html><p>An album</p>"),
        "notes.txt": ("text/plain", b"notes"),
        "broken.jpg": ("image/jpeg", b"\xff\xd8\xff\xe0 and no more"),
    }
    with other_site(files) as site:
        yield site


def fetch_address(page: Page, address: str) -> None:
    if page.locator("#address").is_hidden():
        page.click(".by-address summary")
    page.fill("#address", address)
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.press("#address", "Enter")


def test_a_photo_is_fetched_by_its_address_and_nothing_is_told(
    page: Page, url: str, elsewhere: Any, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    open_page(page, url)
    fetch_address(page, f"{elsewhere.url}open/palace.png")
    assert_same(tagged_anew(page), reference(tmp_path / "palace.png"), SAME_PIXELS)
    assert page.get_attribute("#photo img", "alt") == "palace.png"
    (headers,) = elsewhere.headers
    assert {"cookie", "referer", "authorization"} & set(headers) == set()


def test_a_data_address_is_a_photo_too(
    page: Page, url: str, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    photo = tmp_path / "small.png"
    with Image.open(SAMPLES / "cat.jpg") as image:
        image.resize((64, 64)).save(photo)
    open_page(page, url)
    encoded = base64.b64encode(photo.read_bytes()).decode()
    fetch_address(page, f"data:image/png;base64,{encoded}")
    assert_same(tagged_anew(page), reference(photo), SAME_PIXELS)


def test_an_address_that_gives_no_photo_gets_a_sentence(
    page: Page, url: str, elsewhere: Any
) -> None:
    open_page(page, url)
    for address, said in (
        (f"{elsewhere.url}closed/palace.png", "CORS"),
        (f"{elsewhere.url}open/nothing.png", "status 404"),
        (f"{elsewhere.url}open/album.html", "web page"),
        (f"{elsewhere.url}open/notes.txt", "text/plain"),
        (f"{elsewhere.url}open/broken.jpg", "“broken.jpg” is damaged"),
        ("http://127.0.0.1:1/nobody.png", "cannot be reached"),
        ("data:image/png;base64,!!!", "damaged"),
        ("palace", "should begin with https://"),
    ):
        page.evaluate("document.querySelector('#alert').hidden = true")
        fetch_address(page, address)
        assert said in alert(page), address
        assert page.locator("#tags li[data-score]").count() == 0


def test_an_address_can_be_pasted_or_dragged(
    page: Page, url: str, elsewhere: Any, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    address = f"{elsewhere.url}open/palace.png"
    open_page(page, url)
    expected = reference(tmp_path / "palace.png")
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.evaluate("text => navigator.clipboard.writeText(text)", address)
    page.keyboard.press("Control+V")
    assert_same(tagged_anew(page), expected, SAME_PIXELS)
    page.evaluate("document.querySelector('#tags').textContent = ''")
    transfer = page.evaluate_handle(
        """address => {
            const transfer = new DataTransfer();
            transfer.setData('text/uri-list', `# a picture\\r\\n${address}`);
            return transfer;
        }""",
        address,
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})
    assert_same(tagged_anew(page), expected, SAME_PIXELS)
    assert len(elsewhere.headers) == 2


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


def until_done(page: Page, count: int) -> None:
    """Wait until a gallery of so many photos is done."""
    page.wait_for_selector(
        f"#gallery[data-gallery=still]:has(.cell:nth-child({count}))", timeout=LOADED
    )
    assert page.inner_text("#gallery-count") == f"{count} of {count}"


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

    provenance = schema.read(embedded_site).card.provenance
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
    give(page, sample_png("palace", tmp_path))
    assert page.get_attribute("#gallery", "data-gallery") == "tagging"
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
    page.wait_for_timeout(500)
    assert max(page.evaluate("window.tasks"), default=0) < LONGEST_TASK_MS
    # Chromium shrinks the crop to the longest side that is read pixel by pixel.
    assert_same(tags[:3], reference(photo)[:3], OTHER_DECODER)


# -------------------------------------------------------------------- without network


def test_a_second_visit_has_all_of_it_without_a_network(
    context: BrowserContext, embedded_site: Path
) -> None:
    page = context.new_page()
    with plain_host(embedded_site) as origin:
        open_page(page, origin)
        deadline = time.monotonic() + LOADED / 1000
        while not page.evaluate(
            """async () => (await navigator.serviceWorker.getRegistration())?.active?.state
                === 'activated'"""
        ):
            assert time.monotonic() < deadline
            page.wait_for_timeout(50)
    page.goto("about:blank")
    open_page(page, origin)
    go_live(page)
    page.set_input_files("#file", [SAMPLES / "cat.jpg", SAMPLES / "palace.jpg"])
    until_done(page, 2)
    page.set_input_files("#file", {"name": "IMG_1.heic", "mimeType": "image/heic", "buffer": HEIC})
    assert "HEIC" in alert(page)


# ----------------------------------------------------------------------------- looks


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (768, "light"), (1280, "dark")])
def test_what_is_opened_fits_the_window(
    browser: Browser, url: str, tmp_path: Path, width: int, scheme: Any
) -> None:
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, permissions=["camera"]
    )
    page = context.new_page()
    open_page(page, url)
    page.click(".by-address summary")
    broken = tmp_path / "a-file-name-that-is-much-longer-than-its-cell-is-wide.heic"
    broken.write_bytes(HEIC)
    samples = sorted(SAMPLES.glob("*.jpg"))
    page.set_input_files("#file", [*samples, broken])
    until_done(page, len(samples) + 1)
    go_live(page)
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    folder = Path(os.environ.get("TOOLCHAIN_SCREENSHOTS", tmp_path))
    folder.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=folder / f"inputs-{width}-{scheme}.png", full_page=True)
    context.close()
    assert overflow == 0
