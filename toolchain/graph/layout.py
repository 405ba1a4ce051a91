"""The forms in which networks take a photo, and how a batch of RGB images is brought into them.

Everything but the network itself passes float32 `[n, height, width, 3]`. A network that takes
grey images or channels first gets operations in front of it that convert.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    Array = np.ndarray[Any, Any]

LUMA = (0.299, 0.587, 0.114)
"""The weights of red, green and blue in grey: ITU-R BT.601, as in Pillow's mode L and in
`tf.image.rgb_to_grayscale`."""
_RGB, _GREY = 3, 1
_BATCH = len("nhwc")
_TO_FIRST = (0, 3, 1, 2)


@dataclass(frozen=True)
class Layout:
    """How a network takes a photo."""

    is_grey: bool = False
    """Whether it takes one channel instead of three."""
    is_channels_first: bool = False
    """Whether the channels come before height and width."""

    @property
    def sentence(self) -> str | None:
        """What the user should know of the conversion; None if there is none."""
        steps = [
            step
            for step, is_needed in (
                ("made grey (0.299 red, 0.587 green, 0.114 blue)", self.is_grey),
                ("turned to channels first", self.is_channels_first),
            )
            if is_needed
        ]
        return f"its graph is extended: photos are {', '.join(steps)}" if steps else None


RGB = Layout()
"""The layout of the page: `[n, height, width, 3]`."""


@dataclass(frozen=True)
class Sides:
    """The shape of an image input, as far as it is known."""

    layout: Layout
    batch: int | None
    height: int | None
    width: int | None


def of(shape: list[int | None] | None) -> Sides | None:
    """Return the layout of an input of this shape; None if no photo fits it.

    Channels last is preferred where both are possible.
    """
    if shape is None or len(shape) != _BATCH:
        return None
    batch, one, two, three = shape
    if three in (_RGB, _GREY):
        return Sides(Layout(is_grey=three == _GREY), batch, one, two)
    if one in (_RGB, _GREY):
        return Sides(Layout(one == _GREY, is_channels_first=True), batch, two, three)
    return None


def fed(images: Array, layout: Layout) -> Array:
    """Return RGB images as a network of this layout takes them.

    Args:
        images: float32 `[n, height, width, 3]`.
        layout: The layout.
    """
    if layout.is_grey:
        images = (images * np.array(LUMA, np.float32)).sum(-1, keepdims=True)
    if layout.is_channels_first:
        images = images.transpose(_TO_FIRST)
    return images


def prepend(graph_def: Any, placeholder: str, layout: Layout) -> None:
    """Make a graph take `[n, height, width, 3]`, in place.

    Args:
        graph_def: The graph.
        placeholder: Name of its input, of float32; it keeps its name.
        layout: How the graph has taken it so far.
    """
    if layout == RGB:
        return
    before = list(graph_def.node)
    (node,) = (each for each in before if each.name == placeholder)
    last = placeholder
    if layout.is_grey:
        last = _grey(graph_def, last)
    if layout.is_channels_first:
        turned = _add(graph_def, "Transpose", f"{placeholder}/channels_first", last)
        turned.input.append(_whole(graph_def, f"{placeholder}/order", _TO_FIRST))
        turned.attr["Tperm"].type = tensorflow.load().int32.as_datatype_enum
        last = turned.name
    for reader in before:
        for place, source in enumerate(reader.input):
            if source in (placeholder, f"{placeholder}:0"):
                reader.input[place] = last
    _take_rgb(node.attr["shape"].shape)


def _grey(graph_def: Any, name: str) -> str:
    """Add the weighted sum over the channels of a node's output; return its name."""
    tf = tensorflow.load()
    weights = graph_def.node.add(name=f"{name}/luma_weights", op="Const")
    weights.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(LUMA, tf.float32))
    weights.attr["dtype"].type = tf.float32.as_datatype_enum
    weighted = _add(graph_def, "Mul", f"{name}/luma", name)
    weighted.input.append(weights.name)
    total = _add(graph_def, "Sum", f"{name}/grey", weighted.name)
    total.input.append(_whole(graph_def, f"{name}/grey_axis", (3,)))
    total.attr["keep_dims"].b = True
    total.attr["Tidx"].type = tf.int32.as_datatype_enum
    return str(total.name)


def _add(graph_def: Any, op: str, name: str, read: str) -> Any:
    node = graph_def.node.add(name=name, op=op, input=[read])
    node.attr["T"].type = tensorflow.load().float32.as_datatype_enum
    return node


def _whole(graph_def: Any, name: str, values: tuple[int, ...]) -> str:
    tf = tensorflow.load()
    node = graph_def.node.add(name=name, op="Const")
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(values, tf.int32))
    node.attr["dtype"].type = tf.int32.as_datatype_enum
    return name


def _take_rgb(form: Any) -> None:
    """Change the shape of an input, a `TensorShapeProto`, to `[n, height, width, 3]`."""
    sides = of([None if side.size < 0 else side.size for side in form.dim])
    if sides is None:
        return
    del form.dim[:]
    for side in (sides.batch, sides.height, sides.width, _RGB):
        form.dim.add(size=-1 if side is None else side)
