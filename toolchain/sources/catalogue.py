"""The models that this tool knows by name: their sources, input and published figures.

Multiply-adds, parameters and top-1 (ImageNet validation, single crop) are the figures that the
authors published with the checkpoints; `published` names the table of each entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolchain.labels import imagenet
from toolchain.records.card import HUB_RANGE, Declared

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
    multiply_adds: float | None
    """For one image, in millions; None if the authors of the checkpoint do not say."""
    top1: float
    """Published ImageNet top-1 accuracy, in percent."""
    published: str
    """Where the figures above are published."""
    tfhub: str | None = None
    kaggle: str | None = None
    hugging_face: str | None = None
    """A handle without its prefix; the files there tell more of the input."""
    is_packaged: bool = False
    """Whether a Python package carries it."""
    value_range: tuple[float, float] = (0.0, 1.0)
    label_offset: int = 1
    licence: str = "Apache-2.0"

    @property
    def title(self) -> str:
        """The name as its authors write it, as far as they write a word with two capitals."""
        return self.name.replace("efficientnet-lite", "EfficientNet-Lite")

    @property
    def handles(self) -> tuple[str, ...]:
        """What names the model at its hosts, in the order in which they are asked."""
        kaggle = self.kaggle and f"kaggle:{self.kaggle}"
        hugging_face = self.hugging_face and f"hf:{self.hugging_face}"
        return tuple(handle for handle in (self.tfhub, kaggle, hugging_face) if handle)

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


# Variant → input size, million parameters, million multiply-adds, top-1.
_LITE = {
    "lite0": (224, 4.65, 407, 75.1),
    "lite1": (240, 5.42, 631, 76.7),
    "lite2": (260, 6.09, 899, 77.6),
    "lite3": (280, 8.20, 1440, 79.8),
    "lite4": (300, 13.01, 2640, 81.5),
}
_PACKAGED = ("lite0", "lite1", "lite2")
LITE_RANGE = (-127 / 128, 1.0)
"""What EfficientNet-Lite was trained on: (x - 127) / 128. TF Hub's copies do this themselves."""

# Width → name of the checkpoint, million parameters, million multiply-adds, top-1.
_V4 = {
    "small": ("mobilenetv4_conv_small.e2400_r224_in1k", 3.77, 190, 73.8),
    "medium": ("mobilenetv4_conv_medium.e500_r224_in1k", 9.72, 840, 79.1),
}


def _lite() -> Iterator[Entry]:
    for variant, (size, parameters, multiply_adds, top1) in _LITE.items():
        name = f"efficientnet-{variant}"
        yield Entry(
            name=name,
            size=size,
            parameters=parameters,
            multiply_adds=multiply_adds,
            top1=top1,
            published="TPU models, models/official/efficientnet/lite/README.md",
            tfhub=None
            if name == EMBEDDED
            else f"https://tfhub.dev/tensorflow/efficientnet/{variant}/classification/2",
            is_packaged=variant in _PACKAGED,
            value_range=LITE_RANGE if name == EMBEDDED else HUB_RANGE.value_range,
            label_offset=0,
        )


def _v4() -> Iterator[Entry]:
    for width, (checkpoint, parameters, multiply_adds, top1) in _V4.items():
        yield Entry(
            name=f"mobilenet-v4-{width}-224",
            size=224,
            parameters=parameters,
            multiply_adds=multiply_adds,
            top1=top1,
            published="timm, results/results-imagenet.csv",
            hugging_face=f"onnx-community/{checkpoint}/onnx/model.onnx",
            label_offset=0,
        )


# Name in keras.applications → input size, million parameters, top-1.
_KERAS = {
    "MobileNet": (224, 4.3, 70.4),
    "MobileNetV2": (224, 3.5, 71.3),
    "MobileNetV3Small": (224, 2.9, 68.1),
    "MobileNetV3Large": (224, 5.4, 75.6),
    "NASNetMobile": (224, 5.3, 74.4),
    "EfficientNetB0": (224, 5.3, 77.1),
    "EfficientNetB1": (240, 7.9, 79.1),
    "EfficientNetV2B0": (224, 7.2, 78.7),
    "EfficientNetV2B1": (240, 8.2, 79.8),
    "DenseNet121": (224, 8.1, 75.0),
}


def _keras() -> Iterator[Entry]:
    for name, (size, parameters, top1) in _KERAS.items():
        yield Entry(
            name=f"keras:{name}",
            size=size,
            parameters=parameters,
            multiply_adds=None,
            top1=top1,
            published="Keras, documentation of keras.applications",
            value_range=(0.0, 255.0),
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

APPLICATIONS: Mapping[str, Entry] = {entry.name: entry for entry in _keras()}
"""The smaller models of Keras, by their handles; `keras_applications` knows all."""

ENTRIES: Mapping[str, Entry] = {
    entry.name: entry
    for entry in (
        *_family("v1", _V1, _SLIM_V1, 2),
        *_family("v2", _V2, _SLIM_V2_V3, 2),
        *_family("v3", _V3, _SLIM_V2_V3, 1),
        *_v4(),
        *_lite(),
    )
}
