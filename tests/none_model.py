"""A tiny model with the rule "none of these": it knows red and green, and is to refuse the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tests import tiny_models
from toolchain import tf as tensorflow
from toolchain.records.none_of_these import make

if TYPE_CHECKING:
    from pathlib import Path

LABELS = ("red", "green")
RULE = make(np.eye(2, 3), range(3), 0.8)
"""The centres are the pure colours; the fourth feature, which never changes, is left out."""
COLOURS = {
    "red": (210, 40, 30),
    "green": (50, 180, 60),
    "blue": (40, 50, 220),
    "grey": (130, 120, 125),
}
"""What the photos of a name look like; cosines to the nearer label are 0.97, 0.92, 0.22, 0.6."""


def write(folder: Path, *, with_rule: bool = True) -> Path:
    """Write the model, `colours`, and its sidecar beside it; return the model's path.

    Its features are the means of red, green and blue, and 9.
    """
    tf = tensorflow.load()
    kernel = tf.Variable(np.eye(3, 4, dtype=np.float32)[None, None])
    shift = tf.Variable(np.array([0, 0, 0, 9], np.float32))
    matrix = tf.Variable(np.array([[3, 0], [0, 3], [0, 0], [0, 0]], np.float32))
    bias = tf.Variable(np.array([0.25, 0], np.float32))

    def call(image: Any) -> Any:
        seen = tf.nn.relu(tf.nn.bias_add(tf.nn.conv2d(image, kernel, 1, "SAME"), shift))
        return {"scores": tf.nn.bias_add(tf.reduce_mean(seen, (1, 2)) @ matrix, bias)}

    path = tiny_models.save(
        folder / "colours", call, {"image": tiny_models.IMAGE}, kernel, shift, matrix, bias
    )
    lines = [f"labels = {list(LABELS)}", 'task = "single-label"', "value_range = [0, 1]"]
    if with_rule:
        lines += ["[none_of_these]", f"threshold = {RULE.threshold}"]
        lines += [f'coordinates = "{RULE.coordinates}"', f'centres = "{RULE.centres}"']
    path.with_name("colours.toml").write_text("\n".join(lines), "utf-8")
    return path


def photo(path: Path, colour: str, seed: int = 0) -> Path:
    """Write a photo of one colour of :data:`COLOURS`, with noise."""
    from PIL import Image

    noise = np.random.default_rng(seed).integers(-20, 21, (48, 40, 3))
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((np.array(COLOURS[colour]) + noise).clip(0, 255).astype(np.uint8)).save(path)
    return path
