"""The page's texts: one JSON file for each language, `strings/LANGUAGE.json`.

The template shows the texts of group `page`, the page's code those of group `script`, and of group
`teach` where visitors teach their own tags. English,
`templates/strings/en.json`, defines which texts there are and which `{placeholders}` each has.
The types of the page's code are made from it.
"""

from __future__ import annotations

import difflib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.site import web_bundle
from toolchain.text import read as read_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Texts = dict[str, str]

ENGLISH = "en"
_GROUPS = ("page", "script", "teach")
_PLACEHOLDER = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Strings:
    """The texts of one language."""

    language: str
    page: Texts
    script: Texts
    teach: Texts
    missing: tuple[str, ...] = field(default=())
    """Texts that the language's file lacks; the English ones are the fallback."""


def load(language: str, folders: Sequence[Path] = ()) -> Strings:
    """Read the texts of a language.

    Args:
        language: A language tag. Its file is named after it, or after its part before the hyphen.
        folders: Where to look for `LANGUAGE.json` before toolchain's own languages.

    Raises:
        BadInputError: There is no such file, or it does not have the form of the English one.
    """
    own = web_bundle.templates_dir() / "strings"
    english = _groups(own / f"{ENGLISH}.json")
    # The fallback of a regional language, such as de-AT, is the language itself.
    names = dict.fromkeys((language, language.partition("-")[0]))
    candidates = [folder / f"{name}.json" for folder in (*folders, own) for name in names]
    path = next((each for each in candidates if each.is_file()), None)
    if path is None:
        known = ", ".join(sorted(each.stem for each in own.glob("*.json")))
        raise BadInputError(
            f"there are no texts in the language {language}; choose one of {known}, or put your "
            f"own into strings/{language}.json of a folder given by --template"
        )
    found = _groups(path)
    missing: list[str] = []
    for group in _GROUPS:
        _check(path, group, found[group], english[group])
        missing += [f"{group}.{name}" for name in english[group] if name not in found[group]]
    page, script, teach = (english[group] | found[group] for group in _GROUPS)
    return Strings(language, page, script, teach, tuple(missing))


def filled(text: str, **values: object) -> str:
    """Fill in a text's placeholders; those without a value stay as they are."""
    return _PLACEHOLDER.sub(lambda match: str(values.get(match[1], match[0])), text)


def _groups(path: Path) -> dict[str, Texts]:
    try:
        content = json.loads(read_text(path))
    except (OSError, ValueError, RecursionError) as error:
        raise BadInputError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(content, dict) or set(content) - set(_GROUPS):
        raise BadInputError(
            f'{path} should be an object with the members "page" and "script", and "teach"'
        )
    groups = {group: content.get(group, {}) for group in _GROUPS}
    for group, texts in groups.items():
        if not isinstance(texts, dict) or not all(isinstance(each, str) for each in texts.values()):
            raise BadInputError(f"{path}: {group} should be an object of texts")
    return groups


def _check(path: Path, group: str, texts: Mapping[str, str], english: Mapping[str, str]) -> None:
    """Check that the page has every one of these texts, and their placeholders."""
    for name, text in texts.items():
        if name not in english:
            near = difflib.get_close_matches(name, english, 1)
            hint = f"; did you mean {near[0]}?" if near else "; remove it"
            raise BadInputError(f"{path}: there is no text {group}.{name}{hint}")
        strange = set(_PLACEHOLDER.findall(text)) - set(_PLACEHOLDER.findall(english[name]))
        if strange:
            raise BadInputError(
                f"{path}: {group}.{name} has the placeholder {{{min(strange)}}}, which the page "
                "does not fill in; see the English text for its placeholders"
            )
