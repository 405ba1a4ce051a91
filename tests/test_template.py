"""Templates of one's own: whole pages from them, their files, and faults with their place."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from filelock import FileLock

from tests import tiny_models
from tests.test_second_visit import hosted, shown_labels, until_kept, visit
from tests.watchdog import HANG_MS
from toolchain import cli
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.quantize import stage as compression
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records.card import Declared
from toolchain.site import accent, configuration, render, required, web_bundle
from toolchain.site.template import TemplateError
from toolchain.sources.request import Request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from playwright.sync_api import Browser, Page

    from toolchain.cache.store import Store
    from toolchain.tfjs.stage import TfjsModel

pytestmark = pytest.mark.xdist_group("page")

ROOT = Path(__file__).parents[1]
EXTENDS = '{% extends "toolchain/index.html.j2" %}\n'
LOGO = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="4"/>'
TAGGED = HANG_MS


def folder_of(path: Path, files: Mapping[str, str]) -> Path:
    """Write a template's folder."""
    for name, content in files.items():
        file = path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, "utf-8")
    return path


def rendered(model: TfjsModel, folder: Path, site: Path) -> str:
    """Render a site by the template of a folder and return its page."""
    page = configuration.PageOptions(template=folder)
    site.mkdir()
    render.check(page)
    render.render(model, site, page=page)
    return (site / "index.html").read_text("utf-8")


def documented() -> tuple[str, str, list[str]]:
    """Return the whole template of the documents, their style sheet, and the blocks."""
    text = (ROOT / "docs" / "own-page.md").read_text("utf-8")
    examples = re.findall(r"```jinja\n(.*?)```", text, re.DOTALL)
    (css,) = re.findall(r"```css\n(.*?)```", text, re.DOTALL)
    return "".join(examples), css, re.findall(r"^\*\*`(\w+)`\*\*", text, re.MULTILINE)


def documented_folder(path: Path) -> Path:
    template, css, _ = documented()
    files = {"index.html.j2": template, "brand.css": css, "logo.svg": LOGO}
    unseen = {"fonts/garden.woff2": "nobody looks into it", "NOTES.md": "Ask Ada about the logo."}
    return folder_of(path, files | unseen)


def test_the_documents_template_makes_a_page(tiny_model: TfjsModel, tmp_path: Path) -> None:
    folder = documented_folder(tmp_path / "page")
    site = tmp_path / "site"
    html = rendered(tiny_model, folder, site)
    own = {path.relative_to(site).as_posix() for path in (site / "own").rglob("*.*")}
    assert {re.sub(r"\.[0-9a-f]{16}", "", path) for path in own} == {
        "own/logo.svg",
        "own/brand.css",
        "own/fonts/garden.woff2",
    }
    for kind in ("svg", "css"):
        (file,) = (path for path in own if path.endswith(kind))
        assert f'"{file}"' in html
    assert "It knows 5 kinds." in html
    assert "Never eat what only a web page has named." in html
    assert "<footer>The Garden Society, with toolchain" in html
    (css,) = site.glob("own/brand.*.css")
    address = re.findall(r'url\("([^"]*)"\)', css.read_text("utf-8"))
    assert [(css.parent / path).is_file() for path in address] == [True]
    worker = (site / "sw.js").read_text("utf-8")
    needed = worker.split("const NEEDED", 1)[1].split("];")[0]
    assert all(f'"{file}"' in needed for file in own)


def test_every_block_is_documented_with_an_example() -> None:
    source = (web_bundle.templates_dir() / "index.html.j2").read_text("utf-8")
    own = re.findall(r"{%-? block (\w+)", source)
    template, _, named = documented()
    assert re.findall(r"{% block (\w+)", template) == named
    assert set(own) == set(named)
    head = source.split("#}", 1)[0].split("Blocks", 1)[1]
    assert re.findall(r"^    (\w+)  ", head, re.MULTILINE) == named


def test_a_page_that_overrides_nothing_is_the_tools_own(
    tiny_model: TfjsModel, tmp_path: Path
) -> None:
    html = rendered(
        tiny_model, folder_of(tmp_path / "page", {"index.html.j2": EXTENDS}), tmp_path / "a"
    )
    (tmp_path / "b").mkdir()
    render.render(tiny_model, tmp_path / "b")
    assert html == (tmp_path / "b" / "index.html").read_text("utf-8")
    assert (tmp_path / "a" / "sw.js").read_bytes() == (tmp_path / "b" / "sw.js").read_bytes()


def test_a_template_may_replace_the_page_and_include_others(
    tiny_model: TfjsModel, tmp_path: Path
) -> None:
    source = (web_bundle.templates_dir() / "index.html.j2").read_text("utf-8")
    whole = re.sub(r"{%-? (end)?block.*?%}", "", source)
    whole = whole.replace("<main hidden>", '<main hidden>{% include "parts/badge.html.j2" %}')
    folder = folder_of(
        tmp_path / "page",
        {"index.html.j2": whole, "parts/badge.html.j2": "<b>{{ card.labels[0] }}</b>"},
    )
    assert "<b>thing 0</b>" in rendered(tiny_model, folder, tmp_path / "site")


FAULTS = [
    ("{% block footer %}\n{{ titel }}\n{% endblock %}", ", line 3: 'titel' is undefined; fix"),
    ("{% block footer %}", ", line 2: Unexpected end of template."),
    ("{% include 'index.html.j2' %}", ", line 2: maximum recursion depth exceeded"),
    ("{% block footer %}{{ asset(3) }}{% endblock %}", ", line 2: "),
    ("{% block footer %}{{ 1 | shout }}{% endblock %}", ", line 2: No filter named 'shout'"),
    ("{% block footer %}{{ 1 / 0 }}{% endblock %}", ", line 2: division by zero; fix"),
    (
        "\n{% block footer %}{% include 'no.j2' %}{% endblock %}",
        ", line 3: there is no template no.j2",
    ),
    (
        "{% block footer %}{{ asset('lgo.svg') }}{% endblock %}",
        ", line 2: there is no lgo.svg in PAGE; did you mean logo.svg?",
    ),
    (
        "{% block footer %}{{ asset('../x.svg') }}{% endblock %}",
        ", line 2: ../x.svg lies outside of PAGE; copy it there",
    ),
    (
        "{% block footer %}{{ asset('linked.svg') }}{% endblock %}",
        ", line 2: linked.svg lies outside of PAGE; copy it there",
    ),
    (
        "{% block footer %}{{ asset('.env') }}{% endblock %}",
        ", line 2: .env is a template or a hidden file, which are not published",
    ),
    (
        "{% block footer %}{{ asset('index.html.j2') }}{% endblock %}",
        ", line 2: index.html.j2 is a template or a hidden file",
    ),
    (
        "{% block footer %}{{ asset('broken.css') }}{% endblock %}",
        ", line 2: broken.css names a/no.woff2?v=1: there is no a/no.woff2 in PAGE; put it there",
    ),
    (
        "{% block footer %}{{ asset('circle.css') }}{% endblock %}",
        ", line 2: circle.css names circle.css: circle.css imports itself",
    ),
    ("{% block load %}{% endblock %}", " makes a page without #load, which the page's code"),
    (
        "{% block result %}<ul id=tags></ul>{% endblock %}",
        " makes a page without #status, which the page's code needs; keep this element",
    ),
    (
        "{% block photo %}<template>{{ super() }}</template>{% endblock %}",
        " makes a page without input#file, which",
    ),
]


@pytest.mark.parametrize(("template", "said"), FAULTS)
def test_a_fault_names_the_file_and_the_line(
    tiny_model: TfjsModel, tmp_path: Path, template: str, said: str
) -> None:
    folder = folder_of(
        tmp_path / "page",
        {
            "index.html.j2": EXTENDS + template,
            "logo.svg": LOGO,
            ".env": "SECRET=1",
            "broken.css": "a { background: url(a/no.woff2?v=1) }",
            "circle.css": '@import "circle.css";',
        },
    )
    (tmp_path / "x.svg").write_text(LOGO, "utf-8")
    (folder / "linked.svg").symlink_to(tmp_path / "x.svg")
    with pytest.raises(TemplateError) as raised:
        rendered(tiny_model, folder, tmp_path / "site")
    message = str(raised.value)
    assert message.startswith(f"{folder / 'index.html.j2'}{said.replace('PAGE', str(folder))}")
    assert "\n" not in message
    assert raised.value.exit_code == 1


def test_the_command_ends_with_1_and_no_traceback_before_anything_is_fetched(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    folder_of(tmp_path / "page", {"index.html.j2": EXTENDS + "{% block footer %}"})
    words = ["toolchain", "build", "-m", "missing.keras", "--template", "page"]
    monkeypatch.setattr(sys, "argv", words)
    with pytest.raises(SystemExit) as left:
        cli.main()
    (line,) = capfd.readouterr().err.splitlines()
    assert left.value.code == 1
    assert line.startswith("toolchain: page/index.html.j2, line 2: Unexpected end of template.")


def test_a_template_is_tried_before_the_model_is_compressed(
    tiny: Path, session_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compress(*_: object, **__: object) -> None:
        raise AssertionError("it has begun")

    monkeypatch.setattr(compression, "run", compress)
    template = EXTENDS + "{% block load %}{{ titel }}{% endblock %}"
    folder = folder_of(tmp_path / "page", {"index.html.j2": template})
    options = BuildOptions(
        Request(str(tiny)),
        tmp_path / "site",
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
        weights=QuantizeSettings("int8"),
        page=configuration.PageOptions(template=folder),
    )
    with pytest.raises(TemplateError, match="'titel' is undefined"):
        build(options, store=session_store, progress=Silent())
    assert not options.out.exists()


def test_a_style_sheets_files_are_found_however_it_names_them(
    tiny_model: TfjsModel, tmp_path: Path
) -> None:
    css = (
        '/* url(gone.png) */ @import "more.css";\n@import url(more.css) print;\n'
        "a { background: url( 'my%20logo.svg#part' ), url(data:image/png;base64,AA), url(#here) }\n"
        "b { background: url(//elsewhere.example/x.png), url(/x.png), url('logo.svg?1') }\n"
    )
    template = EXTENDS + "{% block head_extra %}{{ asset('my css/all.css') }}{% endblock %}"
    folder = folder_of(
        tmp_path / "page",
        {
            "index.html.j2": template,
            "my css/all.css": css,
            "my css/more.css": "c { color: red }",
            "my css/logo.svg": LOGO,
            "my css/my logo.svg": LOGO,
        },
    )
    rendered(tiny_model, folder, tmp_path / "site")
    (sheet,) = tmp_path.glob("site/own/my css/all.*.css")
    text = re.sub(r"\.[0-9a-f]{16}", "", sheet.read_text("utf-8"))
    assert text == (
        '/* url(gone.png) */ @import url("more.css");\n@import url("more.css") print;\n'
        'a { background: url("my%20logo.svg#part"), url(data:image/png;base64,AA), url(#here) }\n'
        'b { background: url(//elsewhere.example/x.png), url(/x.png), url("logo.svg?1") }\n'
    )


# What the page's code asks for only on sites that have variants.
OF_VARIANTS = re.compile(r"#(variant|compar)")
# Inside of templates and of what is made anew.
OF_ROWS = frozenset({"th", "tr", "[data-ended]", "[data-took]", "[data-track]"})


def test_what_is_required_is_all_that_the_pages_code_looks_up() -> None:
    """Each call of `element` in web/src/page, with the kind that it asks for."""
    sources = ROOT / "web" / "src"
    page = "\n".join(path.read_text("utf-8") for path in (sources / "page").rglob("*.ts"))
    calls = re.findall(r"element\(\s*(['`])(.+?)\1,\s*HTML(\w*?)Element\b\s*(,[^)]+)?,?\s*\)", page)
    by_name = re.findall(r"(?<!function )\belement\((name|button),", page)
    asked = len(re.findall(r"(?<!function )\belement\(", page))
    assert len(calls) + len(by_name) == asked > 60
    assert {"'#copy-report'", "'#share-link'", "'#parts'", "'#stages'"} <= set(
        re.findall(r"'#[\w-]+'", page)
    )
    tags = {"": "", "OList": "ol", "UList": "ul", "TableRow": "tr", "Image": "img"}
    tags["TableSection"] = "tbody"
    known = {word for selector in required.ELEMENTS for word in selector.split(" ")}
    lists = {
        "part": re.search(r"\bPARTS = \[(.*?)\]", page),
        "stage": re.search(r"STAGES = \[(.*?)\]", (sources / "messages.ts").read_text("utf-8")),
    }
    values = {
        name: set(re.findall(r"'([\w-]+)'", found[1])) - {"preview"}
        for name, found in lists.items()
        if found
    }
    for _, selector, kind, _ in calls:
        if OF_VARIANTS.match(selector) or selector in OF_ROWS or selector.startswith("[data-fact"):
            continue
        tag = tags.get(kind, kind.lower())
        if match := re.fullmatch(r'\[data-(\w+)="\$\{\w+\}"\]', selector):
            (name,) = match.groups()
            total = {"total"} if name == "part" else set()
            wanted = {f'{tag}[data-{name}="{value}"]' for value in values[name] | total}
        else:
            # A kind of its own may go without saying where the selector names it.
            wanted = {selector if selector == tag else f"{tag}{selector}"}
        assert wanted <= known, f"add {wanted - known} to toolchain/site/required.py"
    facts = set(re.findall(r"#fill\('([\w-]+)'", page))
    assert {f'[data-fact="{fact}"]' for fact in facts} <= known
    files = (sources / "page" / "site-files.ts").read_text("utf-8")
    names = set(re.findall(r"const \{ (.*?) \} = dataset;", files)[0].split(", ")) - {"variants"}
    dashed = {re.sub(r"[A-Z]", lambda letter: f"-{letter[0].lower()}", name) for name in names}
    assert {f"html[data-{name}]" for name in dashed} <= set(required.ELEMENTS)


def test_the_tools_own_page_has_all_that_is_required(tiny_model: TfjsModel, tmp_path: Path) -> None:
    render.render(tiny_model, tmp_path)
    html = (tmp_path / "index.html").read_text("utf-8")
    (script,) = re.findall(r'<script type="module" async src="([^"]*)"', html)
    assert list(required.missing(html, script)) == []
    without = re.sub(r' (id|data-[\w-]+)="?[\w-]*"?', "", html).replace("data-crop", "")
    assert list(required.missing(without, "other.js"))[-1] == 'script[src="other.js"]'
    assert len(list(required.missing("<p>", script))) == len(required.ELEMENTS) + 1


def test_the_service_worker_is_the_tools_own(tiny_model: TfjsModel, tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "page", {"index.html.j2": EXTENDS, "sw.js.j2": "{{ gone }}"})
    rendered(tiny_model, folder, tmp_path / "site")
    assert "const NEEDED" in (tmp_path / "site" / "sw.js").read_text("utf-8")


@pytest.fixture(scope="module")
def site(tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A site with the documents' template and an accent, built once for all workers."""
    base = tmp_path_factory.getbasetemp().parent
    out = base / "own-page-site"
    with FileLock(f"{out}.lock"):
        folder = documented_folder(base / "own-page")
        page = configuration.PageOptions(template=folder, accent="gold", title="Flowers")
        declared = Declared(labels=tiny_models.names(), value_range=(0.0, 1.0))
        options = BuildOptions(Request(str(tiny)), out, declared=declared, page=page)
        build(options, store=session_store, progress=Silent())
    return out


def colour_of_buttons(page: Page) -> str:
    style = "(node) => getComputedStyle(node).backgroundColor"
    return str(page.eval_on_selector(".button.primary", style))


@pytest.mark.parametrize(("scheme", "theme"), [("light", accent.LIGHT), ("dark", accent.DARK)])
def test_a_page_of_ones_own_tags_in_its_own_colours(
    browser: Browser, site: Path, scheme: Literal["light", "dark"], theme: accent.Theme
) -> None:
    shown = "rgb({}, {}, {})".format(*accent.fitted(accent.parse("gold"), theme))
    context = browser.new_context(color_scheme=scheme)
    complaints: list[str] = []
    context.on("weberror", lambda error: complaints.append(str(error.error)))
    with hosted(site) as host:
        page = visit(context, host.url)
        assert colour_of_buttons(page) == shown
        page.click("button[data-sample*=rocket]")
        page.wait_for_selector("html[data-state=tagged] #tags li", timeout=TAGGED)
        assert shown_labels(page) == set(tiny_models.names())
        assert page.eval_on_selector(".logo", "node => node.naturalWidth") == 4
        assert page.locator("#parts").is_hidden()
        until_kept(page, site)
        page.close()
    # Without a host: what is the page's own is kept with the rest.
    page = visit(context, host.url)
    assert colour_of_buttons(page) == shown
    assert page.eval_on_selector(".logo", "node => node.naturalWidth") == 4
    assert page.eval_on_selector(".logo", "node => getComputedStyle(node).borderRadius") == "50%"
    context.close()
    assert complaints == []
