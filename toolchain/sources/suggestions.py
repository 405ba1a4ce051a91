"""What to offer where a word names no model: near names, near files, or how to bring the model."""

from __future__ import annotations

import difflib
import re
from itertools import islice
from typing import TYPE_CHECKING

from toolchain.sources.catalogue import ENTRIES
from toolchain.sources.saved_model import GRAPH
from toolchain.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_OFFERED = 3
_MOST_FILES = 2_000  # of a folder, that are looked at
_SAME_FAMILY = 0.85  # how near a word is to a family's name, by difflib's ratio
_WIDTH = re.compile(r"(?<![\d.])[01]\.\d{1,2}(?![\d.])")
_USUAL = "-100-224"  # the width and the size that a family is known by

# Classifiers of `keras.applications`, as they are called there.
_APPLICATIONS = (
    *("ConvNeXtTiny", "ConvNeXtSmall", "ConvNeXtBase", "ConvNeXtLarge", "ConvNeXtXLarge"),
    *("DenseNet121", "DenseNet169", "DenseNet201"),
    *("EfficientNetB0", "EfficientNetB1", "EfficientNetB2", "EfficientNetB3", "EfficientNetB4"),
    *("EfficientNetB5", "EfficientNetB6", "EfficientNetB7"),
    *("EfficientNetV2B0", "EfficientNetV2B1", "EfficientNetV2B2", "EfficientNetV2B3"),
    *("EfficientNetV2S", "EfficientNetV2M", "EfficientNetV2L"),
    *("InceptionResNetV2", "InceptionV3", "NASNetMobile", "NASNetLarge", "Xception"),
    *("ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2", "ResNet152V2"),
    *("VGG16", "VGG19"),
)


def for_name(word: str) -> str:
    """Say what to do about a word that is no model of the catalogue, as one clause."""
    if near := _of_catalogue(word):
        return f"did you mean {_either(near)}?"
    wanted = _squashed(word)
    for name in _APPLICATIONS:
        if wanted in (_squashed(name), _squashed(f"keras.applications.{name}")):
            file = f"{name.lower()}.keras"
            return (
                "`toolchain models` lists what has a name here; bring this one as a file: "
                f"`keras.applications.{name}().save('{file}')` in Python, then --model {file}"
            )
    return (
        "`toolchain models` lists what has a name here; any other is given by the path of its "
        "Keras file or SavedModel"
    )


def for_path(path: Path, suffixes: tuple[str, ...]) -> str | None:
    """Offer the models beside a path that does not exist whose names are near, as one clause.

    Args:
        path: Where there is nothing.
        suffixes: What the names of files that hold models end with.
    """
    try:
        found = [
            each.name
            for each in islice(path.parent.iterdir(), _MOST_FILES)
            if each.name.lower().endswith(suffixes) or (each / GRAPH).is_file()
        ]
    except OSError:
        return None
    # Whoever leaves the suffix out, or takes another, means the file all the same.
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
    """Return the catalogue's names that are near, a family's best known one first."""
    wanted = _squashed(word)
    by_form = {_squashed(name): name for name in ENTRIES}
    if wanted in by_form:
        return [by_form[wanted]]
    family = [name for form, name in by_form.items() if form.startswith(wanted)]
    if len(wanted) < len("mobile") or not family:
        if any(wanted == _squashed(name) for name in _APPLICATIONS):
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
    """Return a name without what people write differently: case, dashes, 1.0 or 100 per cent."""
    name = _WIDTH.sub(lambda match: f"{100 * float(match[0]):03.0f}", name)
    return "".join(each for each in name.casefold() if each.isalnum())


def _without(name: str, suffixes: tuple[str, ...]) -> str:
    for suffix in suffixes:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _either(names: Iterable[str]) -> str:
    return " or ".join(names)
