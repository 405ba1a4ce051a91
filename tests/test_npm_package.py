"""The npm package of a model: npm takes it, and bundlers make apps with it that tag photos."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests import tiny_models
from tests.browser import plain_host, sample_png
from tests.test_embedding import STRICT, WEB, node
from toolchain.errors import BadInputError
from toolchain.records import site_files
from toolchain.site import npm_package
from toolchain.site.npm_package import NpmName
from toolchain.site.render import render

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from toolchain.tfjs.stage import TfjsModel

pytestmark = pytest.mark.xdist_group("page")

NAMED = NpmName("@me/flowers", "1.2.0")
APP = """
import { load, type Tagger } from '@me/flowers';
import '@me/flowers/image-tagger';

const tagger: Tagger = await load('model/');
document.querySelector('input')!.addEventListener('change', async ({ target }) => {
  const { tags } = await tagger.tag((target as HTMLInputElement).files![0]!, { top: 1 });
  document.querySelector('output')!.textContent = tags[0]!.label;
});
document.querySelector('output')!.textContent = 'Ready';
"""
HTML = """<!doctype html><title>App</title><input type="file"><output></output>
<image-tagger src="model/"></image-tagger>
<script type="module" src="SCRIPT"></script>"""
BUNDLERS = {
    "vite": ("vite/bin/vite.js", "build", "--logLevel", "error", "--base", "./"),
    "esbuild": (
        "esbuild/bin/esbuild",
        *("main.ts", "--bundle", "--format=esm", "--outfile=public/main.js"),
    ),
    "webpack": (
        "webpack/bin/webpack.js",
        *("--entry", "./main.js", "--output-path", "public", "--mode", "production"),
        *("--output-filename", "main.js"),
    ),
}
"""What bundles the app. Vite is there; the others are tried where someone has installed them."""


@pytest.fixture(scope="module")
def package(tiny_model: TfjsModel, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the package of the tiny model, as a build writes it."""
    base = tmp_path_factory.mktemp("package")
    site, folder = base / "site", base / "package"
    for each in site, folder:
        each.mkdir()
    render(tiny_model, site)
    npm_package.write(site, folder, NAMED, [tiny_model])
    return folder


def test_npm_takes_the_whole_package(package: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("needs npm")
    done = subprocess.run(
        [npm, "pack", "--dry-run", "--json", "--offline", "--no-update-notifier"],
        cwd=package,
        check=True,
        capture_output=True,
        text=True,
        timeout=600,
    )
    found = json.loads(done.stdout)
    (packed,) = found if isinstance(found, list) else found.values()
    assert (packed["name"], packed["version"]) == (NAMED.name, NAMED.version)
    files = {path.relative_to(package).as_posix() for path in package.rglob("*") if path.is_file()}
    assert {entry["path"] for entry in packed["files"]} == files
    assert {*site_files.COMPONENT[1:], "README.md", "LICENSE", "NOTICE", npm_package.MARK} <= files
    told = json.loads((package / "package.json").read_text("utf-8"))
    named = [*told["bin"].values(), told["types"], *told["exports"]["."].values()]
    assert all((package / file).is_file() for file in named)
    # The tiny model has no licence that the code has.
    assert told["license"] == "SEE LICENSE IN NOTICE"


@pytest.mark.parametrize("bundler", BUNDLERS)
def test_a_bundled_app_tags_photos(page: Page, package: Path, tmp_path: Path, bundler: str) -> None:
    script, *words = BUNDLERS[bundler]
    if not (WEB / "node_modules" / script).is_file():
        pytest.skip(f"needs {bundler} in web/node_modules")
    app = tmp_path / "app"
    shutil.copytree(package, app / "node_modules" / NAMED.name)
    (app / "main.ts").write_text(APP, "utf-8")
    copying = app / "node_modules" / NAMED.name / "copy-model.js"
    subprocess.run(["node", copying, "public/model"], cwd=app, check=True, timeout=600)
    built = app / ("dist" if bundler == "vite" else "public")
    page_of_app = app / "index.html" if bundler == "vite" else built / "index.html"
    own = "/main.ts" if bundler == "vite" else "main.js"
    page_of_app.write_text(HTML.replace("SCRIPT", own), "utf-8")
    node("@typescript/native/bin/tsc", *STRICT, "main.ts", folder=app)
    if bundler == "webpack":
        types = ("--module", "esnext", "--moduleResolution", "bundler", "--target", "esnext")
        node("@typescript/native/bin/tsc", *types, "main.ts", folder=app)
    # What npm installs as esbuild is a program.
    program = [WEB / "node_modules" / script]
    command = program if bundler == "esbuild" else ["node", *program]
    subprocess.run([*command, *words], cwd=app, check=True, timeout=600)
    photo = sample_png("cat", tmp_path)
    with plain_host(built) as url:
        page.goto(url)
        page.wait_for_function("() => document.querySelector('output').value === 'Ready'")
        page.set_input_files("body > input", photo)
        page.wait_for_function(
            "(all) => all.includes(document.querySelector('output').value)",
            arg=list(tiny_models.names()),
        )
        page.locator("image-tagger input").set_input_files(photo)
        page.locator("image-tagger [part=tag]").first.wait_for()


def test_the_copy_replaces_a_model_and_nothing_else(package: Path, tmp_path: Path) -> None:
    def copied(*words: str) -> subprocess.CompletedProcess[str]:
        command = ["node", str(package / "copy-model.js"), *words]
        return subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)

    target = tmp_path / "public" / "model"
    assert copied(str(target)).returncode == 0
    (target / "old.bin").write_bytes(b"old")
    assert copied(str(target)).returncode == 0
    assert not (target / "old.bin").exists()
    refused = copied(str(tmp_path / "public"))
    assert refused.returncode == 2
    assert "holds other files than a model; name a folder of its own" in refused.stderr
    assert (target / "tagger.json").is_file()
    assert copied().stderr.startswith("copy-flowers: name the folder")


@pytest.mark.parametrize(
    ("word", "named"),
    [
        ("flowers", NpmName("flowers", "1.0.0")),
        ("@me/flowers@1.2.0-beta.1", NpmName("@me/flowers", "1.2.0-beta.1")),
        ("Flowers", "'Flowers' is not a name for an npm package; write it in lower case"),
        ("../flowers", "'../flowers' is not a name"),
        ("flowers@1.2", "'1.2' is not a version; write it like flowers@1.2.0"),
        ("@me", "'@me' is not a name"),
        ("a" * 215, "is not a name"),
    ],
)
def test_names_are_those_that_npm_takes(word: str, named: NpmName | str) -> None:
    if isinstance(named, NpmName):
        assert npm_package.parse(word) == named
        return
    with pytest.raises(BadInputError) as raised:
        npm_package.parse(word)
    assert str(raised.value).startswith(f"--package {word}: ")
    assert named in str(raised.value)
