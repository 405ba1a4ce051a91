"""What the user says of the page: the file, the flags over it, the accent that all can read."""

from __future__ import annotations

import colorsys
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from toolchain import cli, toml
from toolchain.errors import BadInputError
from toolchain.site import accent, configuration, render, web_bundle

if TYPE_CHECKING:
    from toolchain.tfjs.stage import TfjsModel

pytestmark = pytest.mark.xdist_group("build")

ROOT = Path(__file__).parents[1]
WHITE, BLACK = (255, 255, 255), (0, 0, 0)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    return path


def samples(folder: Path, file: str = "my rose.png", content: bytes | None = None) -> Path:
    """Make a folder with one sample photo, 30 × 20 pixels."""
    write(
        folder / "samples.toml",
        f'[[sample]]\nfile = "{file}"\nalt = "A <rose>"\ncredit = "Ada"\nlicence = "CC0"\n'
        'licence_url = "https://creativecommons.org/publicdomain/zero/1.0/"\n',
    )
    if content is None:
        Image.new("RGB", (30, 20), "red").save(folder / file)
    else:
        (folder / file).write_bytes(content)
    return folder


def test_what_the_file_says_is_on_the_page(tiny_model: TfjsModel, tmp_path: Path) -> None:
    samples(tmp_path / "brand" / "photos")
    write(
        tmp_path / "brand" / "page.toml",
        '[page]\ntitle = "Roses & <thorns>"\ndescription = "Finds roses."\nlanguage = "de-CH"\n'
        'accent = "crimson"\nsamples = "photos"\n',
    )
    page = configuration.settle(tmp_path / "brand" / "page.toml", {})
    site = tmp_path / "site"
    site.mkdir()
    render.check(page)
    render.render(tiny_model, site, page=page)
    html = (site / "index.html").read_text("utf-8")
    assert '<html lang="de-CH"' in html
    assert "<title>Roses &amp; &lt;thorns&gt;</title>" in html
    assert '<meta name="description" content="Finds roses.">' in html
    (photo,) = (site / "samples").iterdir()
    address = f"samples/{photo.name.replace(' ', '%20')}"
    assert f'data-sample="{address}"' in html
    assert 'alt="A &lt;rose&gt;" width="30" height="20"' in html
    (sheet,) = site.glob("assets/accent.*.css")
    links = re.findall(r'<link rel="stylesheet" href="([^"]*)" integrity="sha256-[^"]+">', html)
    assert links[-1] == f"assets/{sheet.name}"
    assert len(links) > 1
    needed = (site / "sw.js").read_text("utf-8").split("const NEEDED", 1)[1].split("};")[0]
    assert f'"assets/{sheet.name}"' in needed
    assert f'"{address}"' in needed


@pytest.mark.parametrize("none", ["false", "[]"])
def test_a_page_can_be_without_samples(tiny_model: TfjsModel, tmp_path: Path, none: str) -> None:
    page = configuration.settle(write(tmp_path / "page.toml", f"[page]\nsamples = {none}\n"), {})
    site = tmp_path / "site"
    site.mkdir()
    render.render(tiny_model, site, page=page)
    html = (site / "index.html").read_text("utf-8")
    assert 'data-samples="0"' in html
    assert "data-sample=" not in html
    assert not (site / "samples").exists()
    assert not list(site.glob("assets/accent*"))


def test_the_file_of_the_folder_is_read_and_flags_hold_over_it(tmp_path: Path) -> None:
    assert configuration.settle(None, {"title": None}) == configuration.PageOptions()
    write(
        tmp_path / "toolchain.toml",
        '[page]\ntitle = "Mine"\naccent = "navy"\naccent_dark = "#8af"\ntemplate = "page"\n',
    )
    page = configuration.settle(None, {"title": None})
    assert (page.title, page.accent, page.accent_dark) == ("Mine", "navy", "#8af")
    assert page.template == Path("page")
    flags = {"title": "Other", "accent": "crimson", "template": tmp_path / "elsewhere"}
    page = configuration.settle(None, flags)
    assert (page.title, page.accent, page.accent_dark) == ("Other", "crimson", None)
    assert page.template == tmp_path / "elsewhere"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('[page]\ntitel = "x"', "page.titel is not known; did you mean title?"),
        ("[page]\nxyz = 1", "page.xyz is not known; known here: title, description, language"),
        ('[pages]\ntitle = "x"', "pages is not known; did you mean page?"),
        ('title = "x"', "title is not known; known here: page, headers"),
        ('[headers]\ncor = "*"', "headers.cor is not known; did you mean cors?"),
        ("[headers]\ncors = 1", "headers.cors: 1 is not an origin; write scheme"),
        (
            '[headers]\ncors = ["https://a.example", "b.example"]',
            "headers.cors: 'b.example' is not an origin; write scheme, host and port only, like",
        ),
        ('[headers]\ncors = ["*", "https://a.example"]', "headers.cors: * allows every origin"),
        ('[headers]\nframe_ancestors = "*"', "headers.frame_ancestors: '*' is not an origin"),
        ('page = "x"', "page is not a table; write [page] and its keys below it"),
        ("[page]\ntitle = 3", "page.title: 3 is not a text; write it in quotes"),
        ("[page]\ntitle = true", "page.title: true is not a text; write it in quotes"),
        ('[page]\ndescription = " "', "page.description: it is empty; write a text"),
        ('[page]\nlanguage = "german"', None),
        (
            '[page]\nlanguage = "de_CH"',
            "page.language: 'de_CH' is not a language tag; write it like",
        ),
        ('[page]\naccent = "reddish"', "page.accent: 'reddish' is not a colour; write it like"),
        ('[page]\naccent = "#ff000080"', "page.accent: '#ff000080' is transparent"),
        ('[page]\naccent_dark = "red"', "page: accent_dark needs accent as well"),
        ("[page]\nsamples = true", "page.samples: true is not a folder; write its name in quotes"),
        ('[page]\nsamples = ["a.jpg"]', "page.samples: ['a.jpg'] is not a folder"),
        ("[page]\ntemplate = 1", "page.template: 1 is not a text; write it in quotes"),
        ("[page", "cannot be read as TOML"),
    ],
)
def test_a_fault_of_the_file_is_one_sentence(tmp_path: Path, text: str, said: str | None) -> None:
    path = write(tmp_path / "toolchain.toml", text)
    if said is None:
        assert configuration.read(path).language == "german"  # well-formed, if not registered
        return
    with pytest.raises(BadInputError) as raised:
        configuration.read(path)
    assert str(raised.value).startswith(str(path))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--accent", "reddish"], "--accent: 'reddish' is not a colour; write it like #b3261e"),
        (["--title", ""], "--title: it is empty; write a text, or leave it out"),
        (["--config", "missing.toml"], "missing.toml cannot be read as TOML: "),
        (
            ["--template", "missing"],
            "the template missing is not a folder; put one there that begins",
        ),
        (["--template", "empty"], "the template empty has no index.html.j2; put one there that"),
        (["--config", "none.toml"], "the samples empty have no samples.toml; write one with"),
        (["--config", "bad.toml"], "the sample photos/a.jpg cannot be read as a picture; give a"),
    ],
)
def test_the_command_says_it_before_anything_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    words: list[str],
    said: str,
) -> None:
    (tmp_path / "empty").mkdir()
    samples(tmp_path / "photos", "a.jpg", b"no picture")
    write(tmp_path / "none.toml", '[page]\nsamples = "empty"\n')
    write(tmp_path / "bad.toml", '[page]\nsamples = "photos"\n')
    monkeypatch.setattr(sys, "argv", ["toolchain", "build", "-m", "missing.keras", *words])
    with pytest.raises(SystemExit) as left:
        cli.main()
    (line,) = capfd.readouterr().err.splitlines()
    assert left.value.code == 2
    assert line.startswith(f"toolchain: {said}")


@pytest.mark.parametrize("tag", ["de", "pt-BR", "zh-Hant-TW", "sl-rozaj", "es-419", "x1", "d", ""])
def test_language_tags_are_those_of_the_rfc(tag: str) -> None:
    if tag in ("x1", "d", ""):
        with pytest.raises(ValueError, match=r"language"):
            configuration.PageOptions(language=tag)
    else:
        assert configuration.PageOptions(language=tag).language == tag


COLOURS = st.tuples(*[st.integers(0, 255)] * 3)


@given(COLOURS)
def test_any_accent_can_be_read_in_both_themes(colour: accent.RGB) -> None:
    for theme in (accent.LIGHT, accent.DARK):
        shown = accent.fitted(colour, theme)
        assert min(accent.contrast(shown, side) for side in (theme.paper, theme.sheet)) >= 4.5
        assert accent.fitted(shown, theme) == shown
        hues = [colorsys.rgb_to_hsv(*web_bundle)[0] for web_bundle in (colour, shown)]
        if min(max(web_bundle) - min(web_bundle) for web_bundle in (colour, shown)) > 60:
            turned = abs(hues[0] - hues[1])
            assert min(turned, 1 - turned) < 0.01
    for light, dark in [(colour, None), (WHITE, colour)]:
        for block in accent.Accent(light, dark).stylesheet().splitlines():
            found = dict(re.findall(r"--([\w-]+):(#[0-9a-f]{6})", block))
            for behind in ("accent", "accent-strong"):
                text, ground = accent.parse(found["on-accent"]), accent.parse(found[behind])
                assert accent.contrast(text, ground) >= 4.5


def test_an_accent_that_can_be_read_stays_as_it_is() -> None:
    # Of WCAG itself: black on white is 21 to 1, and #767676 just passes on white.
    assert accent.contrast(BLACK, WHITE) == pytest.approx(21)
    assert accent.contrast((0x76, 0x76, 0x76), WHITE) == pytest.approx(4.54, abs=0.01)
    crimson = accent.parse("crimson")
    assert accent.fitted(crimson, accent.LIGHT) == crimson == (0xDC, 0x14, 0x3C)
    assert accent.Accent(crimson).changes() == []
    (said,) = accent.Accent(crimson, crimson).changes()
    assert said.startswith("the accent #dc143c is hard to read on the dark page, which uses #")
    (said,) = accent.Accent(accent.parse("gold")).changes()
    assert "#ffd700 is hard to read on the light page" in said


def test_the_backgrounds_are_those_of_the_page() -> None:
    css = (ROOT / "web" / "src" / "page" / "styles" / "theme.css").read_text("utf-8")
    blocks = dict(zip((accent.LIGHT, accent.DARK), css.split("prefers-color-scheme"), strict=True))
    for theme, block in blocks.items():
        colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", block))
        assert colours["paper"] == accent.hexadecimal(theme.paper)
        assert colours["sheet"] == accent.hexadecimal(theme.sheet)
        # What hangs on the accent in the page is what the style sheet sets.
        hanging = {name for name in colours if "accent" in name}
        assert hanging == set(re.findall(r"--([\w-]+):", accent.Accent(WHITE).stylesheet()))


def test_visitors_teach_where_the_file_or_the_flag_says_so(tmp_path: Path) -> None:
    path = write(tmp_path / "toolchain.toml", "[teach]\nenabled = true")
    assert configuration.settle(path, {}).teach
    assert not configuration.settle(path, {"teach": False}).teach
    assert configuration.settle(write(tmp_path / "other.toml", ""), {"teach": True}).teach
    for text, sentence in (
        ("[page]\nteach = true", r"page\.teach is not known; write \[teach\]"),
        ("[teach]\nenabeld = true", r"teach\.enabeld is not known; did you mean enabled\?"),
        ("teach = true", r"teach is not a table"),
    ):
        with pytest.raises(BadInputError, match=sentence):
            configuration.read(write(tmp_path / "bad.toml", text))


def test_the_schema_says_what_the_code_takes() -> None:
    schema = configuration.json_schema()
    page = schema["$defs"]["PageOptions"]
    assert schema["properties"]["page"]["$ref"] == "#/$defs/PageOptions"
    assert schema["additionalProperties"] is page["additionalProperties"] is False
    assert set(page["properties"]) == set(configuration.PageOptions.model_fields) - {"teach"}
    properties: dict[str, dict[str, Any]] = page["properties"]
    for name, key in properties.items():
        assert len(key["description"]) > 20, name
        assert "null" not in str(key), "TOML has no null"
    pattern = properties["language"]["pattern"]
    assert re.search(pattern, "pt-BR")
    assert not re.search(pattern, "pt_BR")
    assert {"const": False} in properties["samples"]["anyOf"]


def test_the_documents_file_is_a_good_one(tmp_path: Path) -> None:
    text = (ROOT / "docs" / "own-page.md").read_text("utf-8")
    file, photos = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    path = write(tmp_path / "toolchain.toml", file)
    assert file.startswith("#:schema ./toolchain.schema.json\n")
    page = configuration.read(path)
    assert page.samples == tmp_path / "photos"
    # A row for each key, and each key that the file may have.
    keys = set(type(page).model_fields) - {"teach"}
    assert set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) == keys
    assert page.teach
    (sample,) = toml.read(write(tmp_path / "photos" / "samples.toml", photos))["sample"]
    assert set(sample) == set(web_bundle.Sample.model_fields)
