"""The component in a real Chromium, in pages of another origin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.browser import QuietHandler, plain_host, sample_png
from tests.page_driver import SAME_PIXELS, assert_same, give, shown_tags
from toolchain.graph import preprocess
from toolchain.records.verdict import Expected, Verdict
from toolchain.site import component
from toolchain.site.render import render
from toolchain.tfjs import execute

if TYPE_CHECKING:
    import http.server
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Page

    from toolchain.tfjs.stage import TfjsModel

VERDICT = Verdict(
    photos=20,
    top1=None,
    top5=None,
    reference_top1=None,
    drop=None,
    agreement=None,
    score_shift=None,
    expected_drop=Expected(points=0.4, low=0.1, high=0.7),
)
LOAD = """async (site) => {
    window.progress = [];
    const { load, TaggerError } = await import(new URL('tagger.js', site).href);
    window.load = load;
    window.TaggerError = TaggerError;
    window.tagger = await load(site, { onProgress: (now) => window.progress.push(now) });
    return window.tagger.info;
}"""
GIVE = """async ([bytes, options]) => {
    window.photo = new Blob([new Uint8Array(bytes)], { type: 'image/png' });
    return window.tagger.tag(window.photo, options);
}"""
# What each kind of failure says: the name of the error, its code and its sentence.
REFUSED = """async (work) => {
    try { await eval(work)(); } catch (error) {
        return [error.name, error.code ?? null, error.message];
    }
    return null;
}"""


class OpenHost(QuietHandler):
    """A host that lets every page read its files, and remembers which it was asked for."""

    asked: list[str]

    def do_GET(self) -> None:  # noqa: N802
        """Remember the request."""
        self.asked.append(self.path.lstrip("/"))
        super().do_GET()

    def end_headers(self) -> None:
        """Allow every origin."""
        self.send_header("Access-Control-Allow-Origin", "*")
        super().end_headers()


@pytest.fixture(scope="module")
def site(tiny_model: TfjsModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a site of the tiny model."""
    folder = tmp_path_factory.mktemp("tagger") / "site"
    folder.mkdir()
    render(tiny_model, folder, verdict=VERDICT)
    return folder


@pytest.fixture
def open_host(site: Path) -> Iterator[tuple[str, list[str]]]:
    """Serve the site to every origin; gives its address, and the files that are asked for."""
    asked: list[str] = []
    kind: type[http.server.SimpleHTTPRequestHandler] = type("Host", (OpenHost,), {"asked": asked})
    with plain_host(site, kind) as url:
        yield url, asked


@pytest.fixture
def app(page: Page, tmp_path: Path) -> Iterator[Page]:
    """Open an empty page of somebody else's, of another origin than the site."""
    folder = tmp_path / "app"
    folder.mkdir()
    (folder / "index.html").write_text("<!doctype html><title>App</title>", "utf-8")
    with plain_host(folder) as url:
        page.goto(url)
        yield page


def pairs(tagging: dict[str, Any]) -> list[tuple[int, float]]:
    """Return the classes of a tagging with their scores."""
    return [(tag["index"], tag["score"]) for tag in tagging["tags"]]


def test_pages_of_another_origin_get_the_tags_that_the_page_shows(
    app: Page, open_host: tuple[str, list[str]], tmp_path: Path, tiny_model: TfjsModel
) -> None:
    site, asked = open_host
    photo = sample_png("cat", tmp_path)
    own = app.context.new_page()
    own.goto(site)
    give(own, photo)
    shown = shown_tags(own)
    own.close()
    asked.clear()

    info = app.evaluate(LOAD, site)
    card = tiny_model.converted.card
    assert info["labels"] == list(card.labels)
    assert info["sha256"] == card.provenance.sha256
    assert info["drop"] == {"points": 0.4, "low": 0.1, "high": 0.7, "measure": "top-1"}
    progress = app.evaluate("window.progress")
    assert progress[-1] == {"received": info["bytes"], "total": info["bytes"]}

    content = list(photo.read_bytes())
    tagging = app.evaluate(GIVE, [content, {}])
    assert_same(pairs(tagging), shown, SAME_PIXELS)
    assert [tag["label"] for tag in tagging["tags"]] == [card.labels[at] for at, _ in shown]
    assert tagging["nearest"] is None

    best = app.evaluate(GIVE, [content, {"top": 2}])
    assert_same(pairs(best), shown[:2], SAME_PIXELS)
    least = (shown[0][1] + shown[1][1]) / 2
    assert_same(pairs(app.evaluate(GIVE, [content, {"threshold": least}])), shown[:1], SAME_PIXELS)
    none = app.evaluate(GIVE, [content, {"threshold": 1}])
    assert none["tags"] == []
    assert none["nearest"]["index"] == shown[0][0]

    # The same picture in every form that a page may have it in, and two at once.
    forms = app.evaluate(
        """async () => {
            const image = new Image();
            image.src = URL.createObjectURL(window.photo);
            await image.decode();
            const canvas = document.createElement('canvas');
            canvas.width = image.naturalWidth;
            canvas.height = image.naturalHeight;
            const context = canvas.getContext('2d');
            context.drawImage(image, 0, 0);
            const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
            const bitmap = await createImageBitmap(image);
            const crop = { x: 0, y: 0, width: canvas.width, height: canvas.height };
            const given = [image, canvas, pixels, bitmap];
            const found = await Promise.all(given.map((each) => window.tagger.tag(each)));
            found.push(await window.tagger.tag(window.photo, { crop }));
            return [found, bitmap.width];
        }"""
    )
    assert forms[1] > 0
    for form in forms[0]:
        assert_same(pairs(form), shown, SAME_PIXELS)
    corner = {"crop": {"x": 0, "y": 0, "width": 40, "height": 30}}
    # The features are the input of the same graph's last layer, as Python computes it.
    features = app.evaluate("async () => [...await window.tagger.embed(window.photo)]")
    artifacts = tiny_model.converted.artifacts
    run = execute.load_with_features(tiny_model.folder, artifacts.model_json, "tiny")
    _, expected = run(preprocess.load(photo, card.input)[None])
    np.testing.assert_allclose(features, expected[0], rtol=1e-3, atol=1e-4)
    assert pairs(app.evaluate(GIVE, [content, corner])) != pairs(tagging)

    # A second visit reads the model from the cache of the app's own origin.
    app.wait_for_function(
        """async (name) => (await (await caches.open(name)).keys()).length >= 3""",
        arg=f"toolchain tagger {site}",
    )
    asked.clear()
    app.reload()
    app.evaluate(LOAD, site)
    assert_same(pairs(app.evaluate(GIVE, [content, {}])), shown, SAME_PIXELS)
    assert component.MANIFEST in asked
    assert [file for file in asked if file.startswith(("model/", "contract"))] == []
    assert [file for file in asked if file.endswith(".wasm")] == []


def test_two_models_on_a_page_and_what_goes_wrong_is_said_in_a_sentence(
    app: Page, open_host: tuple[str, list[str]], tmp_path: Path
) -> None:
    site, _ = open_host
    app.evaluate(LOAD, site)
    content = list(sample_png("cat", tmp_path).read_bytes())
    tagging = app.evaluate(GIVE, [content, {}])

    def refused(work: str) -> list[str | None]:
        found: list[str | None] = app.evaluate(REFUSED, work)
        assert found is not None, work
        return found

    crop = "{ crop: { x: 0, y: 0, width: 1e6, height: 9 } }"
    assert refused("() => tagger.tag(photo, { top: 0 })")[0] == "RangeError"
    assert refused(f"() => tagger.tag(photo, {crop})")[0] == "RangeError"
    assert refused("() => tagger.tag(new Blob(['words']))")[:2] == ["TaggerError", "photo"]
    video = refused("() => tagger.tag(document.createElement('video'))")
    assert video[1] == "photo"
    assert "loadeddata" in str(video[2])
    assert refused("() => tagger.tag(photo, { signal: AbortSignal.abort() })")[0] == "AbortError"
    missing = refused(f"() => load('{site}nowhere/')")
    assert missing[:2] == ["TaggerError", "model"]
    assert "404" in str(missing[2])
    assert refused(f"() => load('{site}', {{ backend: 'abacus' }})")[0] == "RangeError"
    assert (
        refused(
            f"""() => {{
                const end = new AbortController();
                const coming = load('{site}', {{ signal: end.signal }});
                end.abort();
                return coming;
            }}"""
        )[0]
        == "AbortError"
    )

    # A second model beside the first, which goes on when the second is closed.
    app.evaluate("async (site) => { window.other = await load(site, { backend: 'cpu' }); }", site)
    both = app.evaluate("Promise.all([other.tag(photo), tagger.tag(photo)])")
    assert [each["backend"] for each in both] == ["cpu", "wasm"]
    assert_same(pairs(both[0]), pairs(tagging), SAME_PIXELS)
    app.evaluate("other.close()")
    assert refused("() => other.tag(photo)")[:2] == ["TaggerError", "closed"]
    assert_same(pairs(app.evaluate(GIVE, [content, {}])), pairs(tagging), SAME_PIXELS)


def test_a_damaged_file_makes_no_tags(app: Page, open_host: tuple[str, list[str]]) -> None:
    site, asked = open_host
    app.route(
        "**/model/*.bin",
        lambda route: route.fulfill(body=bytes(1000), headers={"Access-Control-Allow-Origin": "*"}),
    )
    import_and_load = f"async () => (await import('{site}tagger.js')).load('{site}')"
    name, code, sentence = app.evaluate(REFUSED, import_and_load)
    assert (name, code) == ("TaggerError", "model")
    assert ".bin" in sentence
    assert component.MODULE in asked


def test_a_video_is_tagged_until_it_is_stopped(app: Page, open_host: tuple[str, list[str]]) -> None:
    app.evaluate(LOAD, open_host[0])
    counts = app.evaluate(
        """async () => {
            const canvas = document.createElement('canvas');
            canvas.width = canvas.height = 64;
            const context = canvas.getContext('2d');
            const drawing = setInterval(() => {
                context.fillStyle = `hsl(${performance.now() % 360} 80% 50%)`;
                context.fillRect(0, 0, 64, 64);
            }, 20);
            const video = document.createElement('video');
            video.muted = true;
            video.srcObject = canvas.captureStream();
            document.body.append(video);
            void video.play();
            let count = 0;
            await new Promise((resolve, reject) => {
                const stop = window.tagger.stream(
                    video,
                    ({ tags }) => {
                        count += tags.length === 1;
                        if (count === 3) { stop(); resolve(); }
                    },
                    { top: 1, onError: reject },
                );
            });
            // One more photo passes through the queue; the stopped stream adds none.
            await window.tagger.tag(canvas);
            clearInterval(drawing);
            return count;
        }"""
    )
    assert counts == 3
