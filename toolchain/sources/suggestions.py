"""Suggestions for a word that names no model: similar names or files, or how to use one's own."""

from __future__ import annotations

import difflib
import re
from itertools import islice
from typing import TYPE_CHECKING

from toolchain.sources import keras_applications
from toolchain.sources.catalogue import ENTRIES
from toolchain.sources.saved_model import GRAPH
from toolchain.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# Chosen, not measured.
_OFFERED = 3  # names in a suggestion, at most
_MOST_FILES = 2_000  # files of a folder that are compared, at most
_SAME_FAMILY = 0.85  # difflib's ratio from which a word counts as a family's name
_WIDTH = re.compile(r"(?<![\d.])[01]\.\d{1,2}(?![\d.])")
_USUAL = "-100-224"  # width and size of the best-known model of a family


def for_name(word: str) -> str:
    """Return what to do about a word that is not in the catalogue, as one clause."""
    if near := _of_catalogue(word):
        return f"did you mean {_either(near)}?"
    wanted = _squashed(word)
    for name in keras_applications.NAMES:
        if wanted in (_squashed(name), _squashed(f"keras.applications.{name}")):
            return f"did you mean {keras_applications.PREFIX}{name}?"
    return (
        "`toolchain models` lists the known names; for any other model, give the path of its "
        "Keras file or SavedModel"
    )


def for_path(path: Path, suffixes: tuple[str, ...]) -> str | None:
    """Suggest models with similar names beside a path that does not exist, as one clause.

    Args:
        path: The path that does not exist.
        suffixes: The suffixes of model files.

    Returns:
        The clause; None if no name is similar.
    """
    try:
        found = [
            each.name
            for each in islice(path.parent.iterdir(), _MOST_FILES)
            if each.name.lower().endswith(suffixes) or (each / GRAPH).is_file()
        ]
    except OSError:
        return None
    # Compare without suffixes too, for a path with none or with a wrong one.
    wanted = _squashed(path.name)
    by_form: dict[str, str] = {}
    for name in sorted(found):
        by_form.setdefault(_squashed(_without(name, suffixes)), name)
        by_form.setdefault(_squashed(name), name)
    forms = (wanted, _squashed(_without(path.name, suffixes)))
    near = [
        by_form[match]
        for form in forms
        for match in difflib.get_close_matches(form, by_form, n=_OFFERED)
    ]
    offered = list(dict.fromkeys(near))[:_OFFERED]
    if not offered:
        return None
    return f"did you mean {_either(printable(str(path.with_name(name))) for name in offered)}?"


def _of_catalogue(word: str) -> list[str]:
    """Return similar names of the catalogue, the best-known model of a family first."""
    wanted = _squashed(word)
    by_form = {_squashed(name): name for name in ENTRIES}
    if wanted in by_form:
        return [by_form[wanted]]
    family = [name for form, name in by_form.items() if form.startswith(wanted)]
    if len(wanted) < len("mobile") or not family:
        if any(wanted == _squashed(name) for name in keras_applications.NAMES):
            return []
        families: dict[str, list[str]] = {}
        for name in ENTRIES:
            families.setdefault(_squashed(name.rsplit("-", 2)[0]), []).append(name)
        near = difflib.get_close_matches(wanted, families, n=1, cutoff=_SAME_FAMILY)
        family = [name for form in near for name in families[form]]
    if family:
        return sorted(family, key=lambda name: not name.endswith(_USUAL))[:_OFFERED]
    return [by_form[form] for form in difflib.get_close_matches(wanted, by_form, n=_OFFERED)]


def _squashed(name: str) -> str:
    """Return a name in a form for comparison: no case, no dashes, and a width of 1.0 as 100."""
    name = _WIDTH.sub(lambda match: f"{100 * float(match[0]):03.0f}", name)
    return "".join(each for each in name.casefold() if each.isalnum())


def _without(name: str, suffixes: tuple[str, ...]) -> str:
    for suffix in suffixes:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)
