"""Labels and preprocessing from the JSON files that timm and Hugging Face put beside a model."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from toolchain.errors import BadInputError
from toolchain.records.card import Declared, first_fault
from toolchain.text import printable

if TYPE_CHECKING:
    from pathlib import Path

NAMES = ("config.json", "preprocessor_config.json")
"""The files that are read, if they lie beside a model."""
_MAX_BYTES = 16 << 20  # chosen: the labels of ImageNet-21k take 1 MiB
_OWN_WAY = "bilinear"  # how the page resizes
_RESAMPLING = ("nearest", "lanczos", "bilinear", "bicubic", "box", "hamming")  # by Pillow's numbers
_LONGEST = 80  # characters of a word in a message
_SQUASHED = 384  # Hugging Face's ConvNeXT crops only below this size


def files(path: Path) -> tuple[Path, ...]:
    """Return the files of settings that lie beside a model's file."""
    return tuple(each for each in (path.with_name(name) for name in NAMES) if each.is_file())


def beside(path: Path) -> Declared:
    """Return what the files of settings beside a model's file declare.

    Raises:
        BadInputError: One of them is not JSON of the expected form.
    """
    found = Declared()
    for file in files(path):
        try:
            if file.stat().st_size > _MAX_BYTES:
                raise ValueError("it is too large")
            content = json.loads(file.read_bytes())
            read = _preprocessor if file.name == NAMES[1] else _config
            told = Declared(**read(content))
            notes = (*(found.notes or ()), *(f"{file.name} {each}" for each in told.notes or ()))
            found = told.over(found).model_copy(update={"notes": notes or None})
        except ValidationError as error:
            raise BadInputError(f"{file}: {first_fault(error)}; correct or remove it") from error
        except (
            OSError,
            ValueError,
            LookupError,
            TypeError,
            AttributeError,
            RecursionError,
        ) as error:
            raise BadInputError(
                f"{file} is not the settings of a model ({error}); correct or remove it"
            ) from error
    return found


def _config(content: dict[str, Any]) -> dict[str, Any]:
    """Return what a `config.json` of Hugging Face (`id2label`) or timm (`pretrained_cfg`) tells."""
    found: dict[str, Any] = {}
    if labels := content.get("label_names"):
        found["labels"] = tuple(labels)
    elif labels := content.get("id2label"):
        found["labels"] = tuple(labels[str(at)] for at in range(len(labels)))
    timm = content.get("pretrained_cfg")
    if timm:
        found |= {"value_range": (0.0, 1.0), "mean": timm["mean"], "std": timm["std"]}
        found["height"], found["width"] = timm["input_size"][1:]
        found["crop_fraction"] = timm.get("crop_pct")
        crop, way = timm.get("crop_mode", "center"), timm.get("interpolation", "bilinear")
        found["notes"] = _differences(str(way), is_squashed=crop == "squash")
    return found


def _differences(way: str, *, is_squashed: bool) -> tuple[str, ...]:
    """Return clauses on what the page does otherwise with a photo than the settings ask for."""
    notes = []
    if way != _OWN_WAY:
        notes.append(
            f"asks for {printable(way)[:_LONGEST]} resizing, and the page resizes bilinearly with "
            "antialiasing, so scores of photos may differ a little from the original's"
        )
    if is_squashed:
        notes.append(
            "squashes whole photos into a square, and the page crops a centred square, so photos "
            "that are not square get other scores than the original's"
        )
    return tuple(notes)


def _preprocessor(content: dict[str, Any]) -> dict[str, Any]:
    """Return what a `preprocessor_config.json` of Hugging Face tells."""
    found: dict[str, Any] = {}
    factor = content.get("rescale_factor", 1 / 255) if content.get("do_rescale", True) else 1.0
    found["value_range"] = (0.0, 255.0 * factor)
    if content.get("do_normalize", True) and "image_mean" in content:
        found |= {"mean": content["image_mean"], "std": content["image_std"]}
    size, crop = _sides(content.get("size")), _sides(content.get("crop_size"))
    cropped = crop if crop and content.get("do_center_crop", "size" in content) else None
    target = cropped or size
    if target:
        found["height"], found["width"] = target
    part = content.get("crop_pct")
    if part and size and min(size) < _SQUASHED:
        found["crop_fraction"] = part
    elif size:
        found["crop_fraction"] = min(1.0, min(cropped) / min(size)) if cropped else 1.0
    named = content.get("resample", _RESAMPLING.index(_OWN_WAY))
    way = _RESAMPLING[named] if isinstance(named, int) and 0 <= named < len(_RESAMPLING) else named
    squashed = "height" in content["size"] if isinstance(content.get("size"), dict) else False
    notes = _differences(str(way), is_squashed=squashed and not cropped)
    return found | {"notes": notes or None}


def _sides(size: Any) -> tuple[int, int] | None:
    """Return height and width, in pixels, from any form of a size."""
    if isinstance(size, int):
        return size, size
    if isinstance(size, dict) and "shortest_edge" in size:
        return int(size["shortest_edge"]), int(size["shortest_edge"])
    return (int(size["height"]), int(size["width"])) if isinstance(size, dict) else None
