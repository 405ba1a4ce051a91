"""The models that this tool knows by name: their sources, input and published figures.

Multiply-adds, parameters and top-1 (ImageNet validation, single crop) are the figures that the
authors published with the checkpoints; `published` names the table of each entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolchain.labels import imagenet
from toolchain.records.card import Declared

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

DEFAULT = "mobilenet-v2-100-224"
EMBEDDED = "efficientnet-lite0"

_SLIM_V1 = "TF-Slim, research/slim/nets/mobilenet_v1.md"
_SLIM_V2_V3 = "TF-Slim, research/slim/nets/mobilenet/README.md"


@dataclass(frozen=True)
class Entry:
    """One model of the catalogue."""

    name: str
    size: int
    """Height and width of the input, in pixels."""
    parameters: float
    """In millions."""
    multiply_adds: float
    """For one image, in millions."""
    top1: float
    """Published ImageNet top-1 accuracy, in percent."""
    published: str
    """Where the three figures above are published."""
    tfhub: str | None = None
    kaggle: str | None = None
    value_range: tuple[float, float] = (0.0, 1.0)
    label_offset: int = 1
    licence: str = "Apache-2.0"

    @property
    def float32_bytes(self) -> int:
        """Size of the weights as float32."""
        return round(self.parameters * 4e6)

    def declare(self) -> Declared:
        """Return what is known about the model before its graph is read."""
        return Declared(
            name=self.name,
            licence=self.licence,
            labels=imagenet.labels(),
            label_offset=self.label_offset,
            height=self.size,
            width=self.size,
            value_range=self.value_range,
        )


# Width multiplier → million parameters, {input size: (million multiply-adds, top-1)}.
_Family = dict[str, tuple[float, dict[int, tuple[float, float]]]]

_V1: _Family = {
    "100": (4.24, {224: (569, 70.9), 192: (418, 70.0), 160: (291, 68.0), 128: (186, 65.2)}),
    "075": (2.59, {224: (317, 68.4), 192: (233, 67.2), 160: (162, 65.3), 128: (104, 62.1)}),
    "050": (1.34, {224: (150, 63.3), 192: (110, 61.7), 160: (77, 59.1), 128: (49, 56.3)}),
    "025": (0.47, {224: (41, 49.8), 192: (34, 47.7), 160: (21, 45.5), 128: (14, 41.5)}),
}
_V2: _Family = {
    "140": (6.06, {224: (582, 75.0)}),
    "130": (5.34, {224: (509, 74.4)}),
    "100": (
        3.47,
        {224: (300, 71.8), 192: (221, 70.7), 160: (154, 68.8), 128: (99, 65.3), 96: (56, 60.3)},
    ),
    "075": (
        2.61,
        {224: (209, 69.8), 192: (153, 68.7), 160: (107, 66.4), 128: (69, 63.2), 96: (39, 58.8)},
    ),
    "050": (
        1.95,
        {224: (97, 65.4), 192: (71, 63.9), 160: (50, 61.0), 128: (32, 57.7), 96: (18, 51.2)},
    ),
    "035": (
        1.66,
        {224: (59, 60.3), 192: (43, 58.2), 160: (30, 55.7), 128: (20, 50.8), 96: (11, 45.5)},
    ),
}
_V3: _Family = {
    "large-100": (5.4, {224: (217, 75.2)}),
    "large-075": (4.0, {224: (155, 73.3)}),
    "small-100": (2.9, {224: (66, 67.5)}),
    "small-075": (2.4, {224: (44, 65.4)}),
}


def _family(
    generation: str, table: _Family, published: str, kaggle_version: int
) -> Iterator[Entry]:
    for width, (parameters, sizes) in table.items():
        for size, (multiply_adds, top1) in sizes.items():
            variant = f"{width.replace('-', '_')}_{size}"
            yield Entry(
                name=f"mobilenet-{generation}-{width}-{size}",
                size=size,
                parameters=parameters,
                multiply_adds=multiply_adds,
                top1=top1,
                published=published,
                tfhub=f"https://tfhub.dev/google/imagenet/mobilenet_{generation}_{variant}/classification/5",
                kaggle=f"google/mobilenet-{generation}/tensorFlow2/{width}-{size}-classification/{kaggle_version}",
            )


_EFFICIENTNET_LITE0 = Entry(
    name=EMBEDDED,
    size=224,
    parameters=4.65,
    multiply_adds=407,
    top1=75.1,
    published="TPU models, models/official/efficientnet/lite/README.md",
    # Pixels become (x - 127) / 128.
    value_range=(-127 / 128, 1.0),
    label_offset=0,
)

VGG16 = Entry(
    name="vgg16",
    size=224,
    parameters=138.36,
    multiply_adds=15_500,
    top1=71.5,
    published="Howard et al. 2017, table 8 (accuracy); Simonyan & Zisserman 2014 (size)",
    licence="CC-BY-4.0",
)
"""Cannot be built; a row for comparison, which shows why the catalogue lists MobileNets."""

ENTRIES: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        *_family("v1", _V1, _SLIM_V1, 2),
        *_family("v2", _V2, _SLIM_V2_V3, 2),
        *_family("v3", _V3, _SLIM_V2_V3, 1),
        _EFFICIENTNET_LITE0,
    )
}
