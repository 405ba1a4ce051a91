"""A model that tells dark photos from light ones, in one range of pixel values only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tests import tiny_models

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("dark", "light")
SIDE = 16


def brightness(values: tuple[float, float]) -> Any:
    """Make a model that tells dark photos from light ones, in one range of pixel values only.

    Its logits are those of the mean's distance to what dark and light photos have there.
    """
    keras = tiny_models.libraries()["keras"]
    layers = keras.layers
    low, high = values
    dark, light = low + (high - low) * 0.65, low + (high - low) * 0.8
    image = keras.Input((SIDE, SIDE, 3))
    x = layers.GlobalAveragePooling2D()(layers.Conv2D(1, 1, use_bias=False, name="grey")(image))
    # Both logits fall with the distance: outside of the range the light one always wins or loses.
    near = layers.Dense(4, activation="relu", name="apart")(x)
    model = keras.Model(image, layers.Dense(2, name="scores")(near))
    model.get_layer("grey").set_weights([np.full((1, 1, 3, 1), 1 / 3, np.float32)])
    model.get_layer("apart").set_weights(
        [np.array([[1, -1, 1, -1]], np.float32), np.array([-dark, dark, -light, light], np.float32)]
    )
    scale = 8 / (high - low)
    weights = scale * np.array([[-1, 0], [-1, 0], [0, -1], [0, -1]], np.float32)
    model.get_layer("scores").set_weights([weights, np.zeros(2, np.float32)])
    return model


def photos(folder: Path, count: int = 12) -> Path:
    """Write photos of a class each, of a mean of 0.65 or 0.8 of the brightest."""
    random = np.random.default_rng(3)
    for label, mean in zip(LABELS, (0.65, 0.8), strict=True):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            pixels = np.clip(random.normal(255 * mean, 20, (SIDE, SIDE, 3)), 0, 255)
            Image.fromarray(pixels.astype(np.uint8)).save(folder / label / f"{number}.png")
    return folder
