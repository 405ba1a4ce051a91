"""The page's texts: one file for each language."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from toolchain.errors import BadInputError
from toolchain.site import strings, web_bundle

if TYPE_CHECKING:
    from pathlib import Path


def language_file(folder: Path, **groups: Any) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "eo.json").write_text(json.dumps(groups), "utf-8")
    return folder


def test_a_language_of_a_folder_of_ones_own_is_read(tmp_path: Path) -> None:
    own = language_file(tmp_path / "strings", page={"tags": "Etikedoj"}, script={})
    texts = strings.load("eo", [own])
    assert texts.language == "eo"
    assert texts.page["tags"] == "Etikedoj"


def test_what_a_language_lacks_is_english_and_named(tmp_path: Path) -> None:
    own = language_file(tmp_path / "strings", page={"tags": "Etikedoj"})
    texts = strings.load("eo", [own])
    assert texts.script == strings.load("en").script
    assert "page.tags" not in texts.missing
    assert {"page.retry", "script.ready"} <= set(texts.missing)


@pytest.mark.parametrize("language", ["en", "de"])
def test_the_tools_own_languages_lack_nothing(language: str) -> None:
    assert strings.load(language).missing == ()


def test_a_regional_language_is_read_from_the_languages_file() -> None:
    texts = strings.load("de-CH")
    assert texts.language == "de-CH"
    assert texts.page["tags"] == "Schlagwörter"


@pytest.mark.parametrize(
    ("groups", "sentence"),
    [
        ({"page": {"tgas": "x"}}, r"no text page\.tgas; did you mean tags\?"),
        ({"script": {"zzzzzz": "x"}}, r"no text script\.zzzzzz; remove it"),
        ({"script": {"taggedIn": "{hours}"}}, r"script\.taggedIn has the placeholder \{hours\}"),
        ({"page": {"tags": 3}}, "page should be an object of texts"),
        ({"pages": {}}, 'members "page" and "script"'),
    ],
)
def test_a_fault_of_a_language_is_named(
    tmp_path: Path, groups: dict[str, Any], sentence: str
) -> None:
    own = language_file(tmp_path / "strings", **groups)
    with pytest.raises(BadInputError, match=sentence):
        strings.load("eo", [own])


def test_an_unknown_language_says_which_there_are() -> None:
    with pytest.raises(BadInputError, match=r"no texts in the language tlh; choose one of .*en"):
        strings.load("tlh")


def test_what_is_filled_in_is_no_placeholder() -> None:
    assert strings.filled("{a} {b} {c}", a="{b}", b="x") == "{b} x {c}"


def test_the_template_shows_every_text_of_its_group_and_has_none_of_its_own() -> None:
    template = "".join(
        (web_bundle.templates_dir() / name).read_text("utf-8")
        for name in ("index.html.j2", "load.html.j2", "404.html.j2")
    )
    shown = set(re.findall(r"\btext\.(\w+)", template))
    # The title and the description may come from the configuration.
    assert shown | {"title", "description"} == set(strings.load("en").page)
    body = re.sub(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}|<[^>]*>", " ", template, flags=re.DOTALL)
    words = set(re.findall(r"[^\W\d_]{2,}", body))
    assert words == set()
