"""The examples of docs/embed.md in a real Chromium: as they are, and bundled by Vite."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from tests import axe, tiny_models
from tests.browser import plain_host, sample_png
from tests.watchdog import until
from toolchain.records import site_files
from toolchain.site.render import render

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from toolchain.tfjs.stage import TfjsModel

pytestmark = pytest.mark.xdist_group("page")

WEB = Path(__file__).parents[1] / "web"
DOCUMENT = WEB.parent / "docs" / "embed.md"
STRICT = ("--noEmit", "--strict", "--module", "esnext", "--moduleResolution", "bundler")


@pytest.fixture(scope="module")
def site(tiny_model: TfjsModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a site of the tiny model."""
    folder = tmp_path_factory.mktemp("embedded") / "site"
    folder.mkdir()
    render(tiny_model, folder)
    return folder


@pytest.mark.parametrize("bundler", [None, "vite"])
def test_the_examples_of_the_document_run(
    page: Page, site: Path, tmp_path: Path, bundler: str | None
) -> None:
    document = DOCUMENT.read_text("utf-8")
    html, script = (
        re.findall(f"```{kind}\n(.*?)```", document, re.DOTALL)[0] for kind in ("html", "ts")
    )
    folder = tmp_path / "app"
    if bundler is None:
        shutil.copytree(site, folder / "model")
    else:
        shutil.copytree(site, folder / "public" / "model")
        for name in site_files.COMPONENT[1:]:
            shutil.copy(site / name, folder)
        (folder / "main.ts").write_text(script, "utf-8")
        inline = re.compile(r"<script.*</script>", re.DOTALL)
        html = inline.sub('<script type="module" src="/main.ts"></script>', html)
    (folder / "index.html").write_text(html, "utf-8")
    if bundler is not None:
        node("@typescript/native/bin/tsc", *STRICT, "main.ts", folder=folder)
        node("vite/bin/vite.js", "build", "--logLevel", "error", folder=folder)
        folder /= "dist"
    with plain_host(folder) as url:
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url.removeprefix(url)))
        page.goto(url)
        page.wait_for_load_state("networkidle")
        # Importing the module loads nothing.
        assert [file for file in asked if file.startswith("model/")] == (
            ["model/tagger.js"] if bundler is None else []
        )
        page.set_input_files("input", sample_png("cat", tmp_path))
        page.wait_for_function(
            "(all) => all.some((one) => document.querySelector('output').value.includes(one))",
            arg=list(tiny_models.names()),
        )


def test_the_element_tags_photos_without_a_script(page: Page, site: Path, tmp_path: Path) -> None:
    html = re.findall(r"```html\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)[1]
    folder = tmp_path / "app"
    shutil.copytree(site, folder / "model")
    photo = sample_png("cat", tmp_path)
    shutil.copy(photo, folder / "cat.png")
    (folder / "index.html").write_text(html, "utf-8")
    axe.install(page.context)
    with plain_host(folder) as url:
        page.goto(url)
        page.evaluate(
            """() => {
                window.told = [];
                for (const type of ['tags', 'progress', 'error']) {
                    document.querySelector('image-tagger').addEventListener(
                        type, ({ detail }) => window.told.push([type, detail]));
                }
            }"""
        )
        element = page.locator("image-tagger")
        assert axe.findings(page) == {}
        element.locator("input").set_input_files(photo)
        tags = element.locator("[part=tag]")
        expect(tags).to_have_count(3)
        told = page.evaluate("window.told")
        assert told[0][0] == "progress"
        kind, tagging = told[-1]
        assert kind == "tags"
        shown = tags.locator("[part=label]").all_inner_texts()
        assert shown == [tag["label"] for tag in tagging["tags"]]
        image = element.locator("img")
        expect(image).to_have_attribute("alt", "cat.png")
        assert image.evaluate("({ complete, naturalWidth }) => complete && naturalWidth > 0")
        assert axe.findings(page) == {}

        # The page's own photo, then one that is none, then a site that is not there.
        element.evaluate(
            """(element) => {
                element.setAttribute('threshold', '1');
                element.insertAdjacentHTML(
                    'beforeend', '<img slot="photo" src="cat.png" alt="A cat">');
            }"""
        )
        expect(element.locator("[part=none]")).to_have_text("None of these")
        expect(tags.first).not_to_be_visible()
        words = tmp_path / "words.txt"
        words.write_text("No picture.", "utf-8")
        element.locator("input").set_input_files(words)
        error = element.locator("[part=error]")
        expect(error).to_be_visible()
        element.evaluate("(element) => element.setAttribute('src', '/nowhere/')")
        element.locator("input").set_input_files(photo)
        expect(error).to_contain_text("404")
        kind, _ = page.evaluate("window.told.at(-1)")
        assert kind == "error"
        element.evaluate("(element) => element.setAttribute('src', '/model/')")
        element.evaluate("(element) => element.removeAttribute('threshold')")
        element.locator("input").set_input_files(photo)
        expect(tags).to_have_count(3)
        expect(error).not_to_be_visible()


ALL_FRAMEWORKS = """
import { createElement } from 'react';
import { createRoot } from 'react-dom/client';
import { mount, unmount } from 'svelte';
import { createApp } from 'vue';
import InReact from './example.jsx';
import InSvelte from './example.svelte';
import InVue from './example.vue';

const place = (name) => document.querySelector(`#${name}`);
const root = createRoot(place('react'));
root.render(createElement(InReact));
const app = createApp(InVue);
app.mount(place('vue'));
const component = mount(InSvelte, { target: place('svelte') });
document.addEventListener('end', () => {
  root.unmount();
  app.unmount();
  void unmount(component);
});
if (location.search === '?offline') {
  navigator.serviceWorker.register('/worker.js');
}
"""
COMPILERS = """
import { compile } from 'svelte/compiler';
import { compileScript, parse } from 'vue/compiler-sfc';

const examples = {
  name: 'examples',
  transform(code, id) {
    if (id.endsWith('.svelte')) {
      return compile(code, { filename: id }).js;
    }
    if (id.endsWith('.vue')) {
      const { descriptor } = parse(code, { filename: id });
      return compileScript(descriptor, { id: 'example', inlineTemplate: true }).content;
    }
  },
};
export default { plugins: [examples], logLevel: 'error' };
"""
FRAMEWORKS = ("react", "vue", "svelte")


def test_the_examples_for_frameworks_and_without_a_network_run(
    page: Page, site: Path, tmp_path: Path
) -> None:
    document = DOCUMENT.read_text("utf-8")
    app, photo = tmp_path / "app", sample_png("cat", tmp_path)
    shutil.copytree(site, app / "public" / "model")
    shutil.copy(site / "tagger.js", app)
    (app / "node_modules").symlink_to(WEB / "node_modules")
    (example,) = (
        each
        for each in re.findall(r"```js\n(.*?)```", document, re.DOTALL)
        if "addEventListener('fetch'" in each
    )
    places = "".join(f'<div id="{name}"></div>' for name in FRAMEWORKS)
    html = (
        f'<!doctype html><title>App</title>{places}<script type="module" src="/main.js"></script>'
    )
    files = {
        "public/worker.js": example,
        "index.html": html,
        "main.js": ALL_FRAMEWORKS,
        "vite.config.js": COMPILERS,
        "package.json": '{"type": "module"}',
    }
    for kind in ("jsx", "vue", "svelte"):
        (files[f"example.{kind}"],) = re.findall(f"```{kind}\n(.*?)```", document, re.DOTALL)
    for name, text in files.items():
        (app / name).write_text(text, "utf-8")
    node("vite/bin/vite.js", "build", folder=app)

    def tags_in_all() -> None:
        for name in FRAMEWORKS:
            page.locator(f"#{name} input:enabled").set_input_files(photo)
        for name in FRAMEWORKS:
            page.wait_for_function(
                "([at, all]) => all.includes(document.querySelector(at).value.split(', ')[0])",
                arg=[f"#{name} output", list(tiny_models.names())],
            )

    with plain_host(app / "dist") as url:
        page.goto(url)
        tags_in_all()
        workers = page.workers
        assert len(workers) == len(FRAMEWORKS)
        page.evaluate("document.dispatchEvent(new Event('end'))")
        until(
            lambda: page.workers == [],
            "all workers have ended",
            rest=lambda: page.wait_for_timeout(50),
        )

        # The first visit installs the service worker, the second passes through it.
        page.goto(f"{url}?offline")
        page.evaluate("navigator.serviceWorker.ready.then(() => 0)")
        page.reload()
        tags_in_all()
    page.reload()
    tags_in_all()


def node(script: str, *words: str, folder: Path) -> None:
    """Run a tool of the page's development in a folder."""
    command = ["node", str(WEB / "node_modules" / script), *words]
    subprocess.run(command, cwd=folder, check=True, timeout=600)
