"""Other sites that may use a built one: the headers on every server, and frames in Chromium."""

from __future__ import annotations

import re
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import ValidationError

from tests import web_servers
from tests.browser import plain_host, sample_png, toolchain_serve
from tests.test_servers import FILES, SCRIPT, get
from tests.test_verify import INPUTS
from toolchain.deployment import limits, release
from toolchain.deployment.hosts import NETLIFY
from toolchain.deployment.verify import verify
from toolchain.errors import BadInputError
from toolchain.progress import Silent
from toolchain.site import build_info, configuration, host_files
from toolchain.site import headers as table
from toolchain.site.origins import NOBODY, Origins
from toolchain.site.render import render

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from toolchain.tfjs.stage import TfjsModel

pytestmark = pytest.mark.xdist_group("page")

ONE, TWO, OTHER = "https://one.example", "http://two.example:8080", "https://one.example.evil"
ALLOWED, EXPOSED = "access-control-allow-origin", "access-control-expose-headers"
SHARED = ("tagger.js", "tagger-teach.js", "tagger.json", "model/shard.0123456789abcdef.bin", SCRIPT)
EMBED = (Path(__file__).parents[1] / "docs" / "embed.md").read_text("utf-8")
MODULES = {"tagger.js": "export {};", "tagger-teach.js": "export {};", "tagger.json": "{}"}
SEVERAL = Origins(cors=(ONE, TWO), frame_ancestors=(ONE,))


def a_site(folder: Path, origins: Origins) -> Path:
    """Write a site without a model, which says who may use it."""
    for path, text in (FILES | MODULES).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    (folder / "report.json").write_text("{}", "utf-8")
    host_files.write(folder, origins)
    build_info.write(folder, (), INPUTS, origins)
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)  # nginx' workers are somebody else
    return folder


@pytest.mark.parametrize("server", web_servers.NAMES)
def test_every_server_names_the_origin_that_asks_if_it_may_read(
    server: str, tmp_path: Path
) -> None:
    site = a_site(tmp_path / "site", SEVERAL)
    with web_servers.serving(server, site, tmp_path) as url:
        for asking, named in ((ONE, ONE), (TWO, TWO), (OTHER, None), (None, None)):
            for path in SHARED:
                _, headers, _ = get(url, path, origin=asking)
                assert headers.get(ALLOWED) == named, (path, asking)
                assert headers.get(EXPOSED) == (named and "Content-Range")
                assert "origin" in headers["vary"].lower()
        for path in ("", "report.html", "sw.js"):
            assert ALLOWED not in get(url, path, origin=ONE)[1], path
        # What the table says of each file is what verify wants.
        assert verify(url, progress=Silent(), site=site).all_faults == []
        policy = get(url, "")[1]["content-security-policy"]
    assert policy.endswith(f"; frame-ancestors 'self' {ONE}")


@pytest.mark.parametrize("server", web_servers.NAMES)
def test_every_server_lets_all_read_if_the_site_says_so(server: str, tmp_path: Path) -> None:
    site = a_site(tmp_path / "site", Origins(cors=("*",)))
    with web_servers.serving(server, site, tmp_path) as url:
        headers = {path: get(url, path)[1] for path in (*SHARED, "index.html")}
    assert [path for path, found in headers.items() if found.get(ALLOWED) == "*"] == list(SHARED)


def test_verify_names_what_another_origin_cannot_read_or_frame(tmp_path: Path) -> None:
    site = a_site(tmp_path / "site", SEVERAL)
    with plain_host(site) as url:
        found = verify(url, progress=Silent(), site=site, custom_headers=False)
    files = [each.path for each in found.files if each.faults]
    assert set(SHARED) <= set(files)
    assert "index.html" not in files
    fault = f"cannot be read by pages of {ONE}: its Access-Control-Allow-Origin is missing"
    assert any(fault in each for each in found.all_faults)
    build_info.write(site, (), INPUTS)
    with toolchain_serve(site) as url:
        build_info.write(site, (), INPUTS, SEVERAL)
        faults = verify(url, progress=Silent(), site=site).faults
    assert [each for each in faults if f"cannot be framed by {ONE}" in each]


def test_a_host_with_the_same_headers_for_all_names_one_origin(tmp_path: Path) -> None:
    site = a_site(tmp_path / "one", Origins(cors=(ONE,), frame_ancestors=(ONE, TWO)))
    rules = host_files.rules(FILES, build_info.origins_of(site))
    assert rules["/model/*"]["Access-Control-Allow-Origin"] == ONE
    assert rules["/assets/*"]["Access-Control-Allow-Origin"] == ONE
    assert "Access-Control-Allow-Origin" not in rules["/"]
    assert rules["/"]["Content-Security-Policy"].endswith(f"frame-ancestors 'self' {ONE} {TWO}")
    limits.check(NETLIFY, release.of_site(site, NETLIFY))
    several = a_site(tmp_path / "two", SEVERAL)
    with pytest.raises(BadInputError, match=r"Netlify sends everyone the same .* one --cors, or"):
        limits.check(NETLIFY, release.of_site(several, NETLIFY))


@pytest.mark.parametrize(
    ("given", "origin"),
    [
        ("https://App.Example.org", "https://app.example.org"),
        ("https://app.example.org:443", "https://app.example.org"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:8000", "http://[::1]:8000"),
        ("*", "*"),
        ("https://app.example.org/", None),
        ("app.example.org", None),
        ("https://*.example.org", None),
        ('https://a.example"; add_header X', None),
        ("null", None),
    ],
)
def test_an_origin_is_scheme_host_and_port(given: str, origin: str | None) -> None:
    if origin is not None:
        assert Origins(cors=(given,)).cors == (origin,)
        return
    with pytest.raises(ValidationError, match="is not an origin; write scheme, host and port"):
        Origins(cors=(given,))


def test_flags_override_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert configuration.settle_origins(None, {"cors": None}) == NOBODY
    file = tmp_path / "toolchain.toml"
    (documented,) = re.findall(r"```toml\n(.*?)```", EMBED, re.DOTALL)
    file.write_text(documented)
    app = ("https://app.example.org",)
    found = configuration.settle_origins(None, {})
    assert found == Origins(cors=app, frame_ancestors=app)
    file.write_text(f'[headers]\ncors = "*"\nframe_ancestors = ["{ONE}"]')
    found = configuration.settle_origins(None, {"cors": [TWO], "frame_ancestors": None})
    assert found == Origins(cors=(TWO,), frame_ancestors=(ONE,))
    with pytest.raises(BadInputError, match=r"^--frame-ancestors: '\*' is not an origin"):
        configuration.settle_origins(None, {"frame_ancestors": ["*"]})


FRAME = """<!doctype html><title>App</title>
<script>
  const heard = [];
  addEventListener('message', ({ data, origin }) => heard.push({ ...data, origin }));
</script>
<iframe src="SITE" width="800" height="600"></iframe>"""
GIVE = """async ([bytes, id]) => {
    const photo = new Blob([new Uint8Array(bytes)], { type: 'image/png' });
    const message = { type: 'toolchain:photo', photo, name: 'cat.png', id };
    document.querySelector('iframe').contentWindow.postMessage(message, '*');
}"""
HEARD = "(type) => heard.some((message) => message.type === `toolchain:${type}` && message.id)"


@contextmanager
def an_app(folder: Path) -> Iterator[tuple[str, Path]]:
    """Serve an empty folder; yield its origin and the folder."""
    folder.mkdir()
    with plain_host(folder) as url:
        yield url.rstrip("/"), folder


def test_only_listed_pages_frame_the_page_and_exchange_messages(
    page: Page, tiny_model: TfjsModel, tmp_path: Path
) -> None:
    photo = list(sample_png("cat", tmp_path).read_bytes())
    site = tmp_path / "site"
    site.mkdir()
    with an_app(tmp_path / "app") as (origin, app), an_app(tmp_path / "evil") as (evil, other):
        origins = Origins(cors=(origin, ONE), frame_ancestors=(origin, ONE))
        render(tiny_model, site, framed_by=origins.frame_ancestors)
        build_info.write(site, (), INPUTS, origins)
        with toolchain_serve(site) as url, plain_host(site) as bare:
            examples = re.findall(r"```html\n(.*?)```", EMBED, re.DOTALL)
            example = next(each for each in examples if "<iframe" in each)
            text = example.replace("https://model.example.org", url.rstrip("/"))
            (app / "example.html").write_text(text, "utf-8")
            for folder, address in ((app, url), (other, url)):
                (folder / "index.html").write_text(FRAME.replace("SITE", address), "utf-8")
            (other / "bare.html").write_text(FRAME.replace("SITE", bare), "utf-8")

            page.goto(origin)
            page.wait_for_function("() => heard.some(({ type }) => type === 'toolchain:ready')")
            page.evaluate(GIVE, [photo, 7])
            page.wait_for_function(HEARD, arg="tags")
            told = page.evaluate("heard")
            frame = page.frames[1]
            assert frame.get_attribute("#photo img", "alt") == "cat.png"
            shown = frame.locator("#tags li")
            tags = told[-1]["tags"]
            assert {each["origin"] for each in told} == {url.rstrip("/")}
            assert [tag["label"] for tag in tags] == shown.evaluate_all(
                "(rows) => rows.map(({ dataset }) => dataset.label)"
            )

            page.goto(f"{origin}/example.html")
            page.frames[1].wait_for_selector("html[data-state=tagged]")
            page.set_input_files("input", sample_png("espresso", tmp_path))
            page.frames[1].wait_for_selector("#photo img[alt='espresso.png']")
            label = page.frames[1].locator("#tags li").first.get_attribute("data-label")
            page.wait_for_function(
                "(label) => document.querySelector('output').value === label", arg=label
            )

            # The module is read by an origin that the site names, and by no other.
            loads = "async (site) => (await (await import(`${site}tagger.js`)).load(site)).info"
            assert page.evaluate(loads, url)["labels"] == list(tiny_model.converted.card.labels)
            page.goto(evil)
            assert page.evaluate(f"(site) => ({loads})(site).catch(({{ name }}) => name)", url) == (
                "TypeError"
            )
            assert page.frames[1].url.startswith("chrome-error://")

            # A host without headers lets anybody frame the page; it still says nothing.
            page.goto(f"{evil}/bare.html")
            framed: Any = page.frames[1]
            framed.wait_for_selector("html[data-state=tagged]")
            page.evaluate(GIVE, [photo, 8])
            framed.set_input_files("#file", sample_png("espresso", tmp_path))
            framed.wait_for_selector("#photo img[alt='espresso.png']")
            framed.wait_for_selector("html[data-state=tagged]")
            assert page.evaluate("heard") == []


def test_the_table_leaves_out_who_may_read_by_default() -> None:
    for path in (*FILES, *SHARED):
        assert not [name for name in table.headers(path) if name.startswith("Access-Control")]
