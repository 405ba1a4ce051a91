"""The page in Firefox and WebKit: the tags that Python computes, and what visitors do."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests import axe, engine_driver, engines, none_model, teach_site
from tests.browser import sample_png, toolchain_serve
from tests.faulty_host import Fault, faulty
from tests.page_driver import SAME_PIXELS, assert_same
from tests.watchdog import HANG_S
from toolchain.site.render import render

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.engine_driver import Engine
    from tests.page_driver import Tags
    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("engines")

UNTIL = """
const until = async (found) => {
  const begun = performance.now();
  while (!found()) {
    if (performance.now() - begun > LIMIT) {
      throw new Error(`never ${found}: ${document.querySelector('#alert-text').textContent}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
};
const state = () => document.documentElement.dataset.state;
const items = () => [...document.querySelectorAll('#tags li')];
const tags = () =>
  items().map(({ dataset }) => [Number(dataset.classIndex), Number(dataset.score)]);
""".replace("LIMIT", str(1000 * HANG_S))
TAGGED = f"{UNTIL} await until(() => state() === 'tagged' && items().length > 0); return tags();"
KEPT = f"""{UNTIL}
const page = await navigator.serviceWorker.ready;
await until(() => page.active.state === 'activated');
"""


@pytest.fixture(scope="module", params=engine_driver.DRIVEN)
def engine(request: pytest.FixtureRequest) -> Iterator[Engine]:
    if reason := engines.lacking(request.param):
        pytest.skip(reason)
    with engine_driver.DRIVEN[request.param]() as running:
        yield running


def tagged(engine: Engine) -> Tags:
    return [(int(place), float(score)) for place, score in engine.run(TAGGED)]


def cleared(engine: Engine) -> None:
    engine.run("document.querySelector('#tags').textContent = '';")


def pasted(photo: Path) -> str:
    """Return code that pastes a photo."""
    return f"""
        const transfer = new DataTransfer();
        const bytes = new Uint8Array({json.dumps(list(photo.read_bytes()))});
        transfer.items.add(new File([bytes], 'pasted.png', {{ type: 'image/png' }}));
        const paste = new ClipboardEvent('paste', {{ bubbles: true }});
        // Firefox takes no files of a script's own into such an event.
        Object.defineProperty(paste, 'clipboardData', {{ value: transfer }});
        document.body.dispatchEvent(paste);
    """


def test_tags_are_those_of_python_whatever_way_a_photo_comes(
    engine: Engine, url: str, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    cat, palace = (sample_png(name, tmp_path) for name in ("cat", "palace"))
    engine.open(url)
    tagged(engine)
    for photo, give in (
        (palace, lambda: engine.choose("#file", palace)),
        (cat, lambda: engine.run(pasted(cat))),
    ):
        cleared(engine)
        give()
        assert_same(tagged(engine), reference(photo), SAME_PIXELS)
    engine.choose("#file", cat, palace)
    cells: list[Any] = engine.run(
        f"""{UNTIL}
        await until(() => document.querySelector('#gallery').dataset.gallery === 'still'
          && document.querySelectorAll('.cell[data-cell=tagged]').length === 2);
        return [...document.querySelectorAll('.cell .cell-tags li:first-child')]
          .map((item) => item.textContent);"""
    )
    assert len(cells) == 2
    assert "palace" in cells[1]


def test_axe_finds_nothing(engine: Engine, url: str, tmp_path: Path) -> None:
    engine.open(url)
    tagged(engine)
    engine.choose("#file", sample_png("cat", tmp_path), sample_png("palace", tmp_path))
    engine.run(
        f"""{UNTIL}
        await until(() => document.querySelectorAll('.cell[data-cell=tagged]').length === 2);
        // A summary that fades in has half a colour.
        await Promise.all(document.getAnimations().map((each) => each.finished.catch(() => {{}})));
        document.querySelector('#waterfall').open = true;
        return null;"""
    )
    assert axe.faults_in(engine) == []


def test_a_second_visit_asks_for_nothing_and_needs_no_network(
    engine: Engine, embedded_site: Path
) -> None:
    with faulty(embedded_site) as host:
        engine.open(host.url)
        first = tagged(engine)
        engine.run(f"{KEPT} return null;")
        engine.run(
            f"""{UNTIL}
            const name = (await caches.keys())[0];
            const files = async () => (await (await caches.open(name)).keys()).length;
            let most = -1;
            for (let now = await files(); now === 0 || now !== most; now = await files()) {{
              most = now;
              await new Promise((resolve) => setTimeout(resolve, 300));
            }}
            return most;"""
        )
        host.requests.clear()
        engine.open(host.url)
        assert tagged(engine) == first
        # Each engine asks whether the service worker is still the newest when it wants.
        assert [each.path for each in host.requests if each.path not in ("sw.js", "")] == []
        address = host.url
    engine.open(address)
    assert tagged(engine) == first


def test_the_first_click_copies_the_report(engine: Engine, url: str) -> None:
    engine.open(url)
    tagged(engine)
    engine.run("document.querySelector('#waterfall').open = true;")
    engine.click("#copy-report")
    said = engine.run(
        f"""{UNTIL}
        await until(() => document.querySelector('#copied').textContent);
        return document.querySelector('#copied').textContent;"""
    )
    assert said == "Report copied."


def test_the_component_tags_as_the_page_does(
    engine: Engine, url: str, reference: Callable[[Path], Tags], tmp_path: Path
) -> None:
    photo = sample_png("espresso", tmp_path)
    engine.open(url)
    found: list[Any] = engine.run(
        f"""const {{ load }} = await import(new URL('tagger.js', location.href));
        const tagger = await load(location.href);
        const photo = new Blob([new Uint8Array({json.dumps(list(photo.read_bytes()))})]);
        const {{ tags }} = await tagger.tag(photo);
        tagger.close();
        return tags.map(({{ index, score }}) => [index, score]);"""
    )
    assert_same([(int(at), float(score)) for at, score in found], reference(photo), SAME_PIXELS)


def test_a_connection_that_breaks_is_mended(
    engine: Engine, embedded_site: Path, request: pytest.FixtureRequest
) -> None:
    weights = max((embedded_site / "model").glob("*.bin"), key=lambda path: path.stat().st_size)
    name = weights.relative_to(embedded_site).as_posix()
    with faulty(embedded_site) as host:
        # WebKit asks for a preloaded file twice, and the page reads the second answer.
        host.faults[name] = Fault(2, keep=0.5)
        engine.open(host.url)
        assert len(tagged(engine)) == 5
        asked = host.asked(name)
    assert len(asked) == 3
    # WebKit hands a page no bytes of an answer that breaks so early, so all are asked for again.
    if request.node.callspec.params["engine"] == "firefox":
        parts = [each.headers["range"] for each in asked[1:]]
        assert all(int(part.removeprefix("bytes=").rstrip("-")) > 0 for part in parts)


@pytest.fixture(scope="module")
def teach_url(session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Return the address of a site that visitors may teach."""
    folder = tmp_path_factory.mktemp("teach")
    model = none_model.write(folder, with_rule=False)
    (folder / "site").mkdir()
    render(teach_site.converted(model, session_store), folder / "site", page=teach_site.TEACH)
    with toolchain_serve(folder / "site") as address:
        yield address


TEACHING = f"""{UNTIL}
const lessons = () => document.querySelector('#teach .lessons');
const photos = (tag) =>
  document.querySelector(`#teach .lesson[data-tag='${{tag}}']`)?.dataset.photos;
await until(() => document.querySelector('#teach')?.dataset.teach === 'ready');
"""


def taught_tag(engine: Engine, photo: Path) -> str:
    cleared(engine)
    engine.choose("#file", photo)
    return str(
        engine.run(f"{TAGGED.removesuffix('return tags();')} return items()[0].dataset.label")
    )


def test_tags_are_taught_and_are_there_again(
    engine: Engine, teach_url: str, tmp_path: Path
) -> None:
    own = {"Kirsche": "red", "Wiese": "green"}
    engine.open(teach_url)
    for tag, colour in own.items():
        engine.run(
            f"""{TEACHING}
            const form = document.querySelector('#teach .teach-new');
            form.querySelector('input').value = '{tag}';
            form.requestSubmit();
            await until(() => photos('{tag}') === '0');
            return null;"""
        )
        given = teach_site.photos(tmp_path, colour)
        engine.choose(f"#teach .lesson[data-tag='{tag}'] input[type=file]", *given)
        engine.run(
            f"""{TEACHING}
            await until(() => photos('{tag}') === '{len(given)}');
            await until(() => lessons().dataset.learned === 'final');
            await until(() => lessons().dataset.stored === 'yes');
            return null;"""
        )
    red, green = (teach_site.photos(tmp_path, colour, 60, 1)[0] for colour in own.values())
    assert taught_tag(engine, red) == "Kirsche"
    engine.open(teach_url)
    engine.run(
        f"""{TEACHING}
        await until(() => lessons().dataset.learned === 'final');
        return null;"""
    )
    assert [taught_tag(engine, photo) for photo in (red, green)] == list(own)
