"""Turns TensorFlow's errors inside a user's model into a sentence that names the model.

A complete model can still fail: an assertion of its author, an index out of range, or a shape
that fits only other images. TensorFlow raises an exception then, and the user must see what it
says.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.text import brief

if TYPE_CHECKING:
    from collections.abc import Iterator

# Lines that TensorFlow writes around the line that tells what happened.
_AROUND = re.compile(
    r"Graph execution error|Detected at node|Detected unsupported|Node: '|<stack traces|File "
)
_PLACES = re.compile(r"\{\{[^}]*\}\}|\[\[.*\]\]|\[Op:[^\]]*\]( name: *)?")
_MAX_LINE = 300  # characters; TensorFlow may quote whole tensors


@contextmanager
def of_model(model: str, doing: str = "run") -> Iterator[None]:
    """Turn TensorFlow's errors within the block into a sentence about the model.

    Args:
        model: How messages name the model.
        doing: What is done with it, to follow "cannot be": "run", "frozen".

    Raises:
        BadInputError: TensorFlow raised an error.
    """
    try:
        yield
    except Exception as error:
        if not is_tensorflows(error):
            raise
        raise BadInputError(
            f"{model} cannot be {doing}: TensorFlow says {first_line(error)!r}; try its signature "
            "on one image in Python, fix the model and save it again"
        ) from error


def is_tensorflows(error: BaseException) -> bool:
    """Tell whether TensorFlow raised an exception: one of its own types, or from its own code."""
    if type(error).__module__.startswith("tensorflow."):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    raised_in = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    return raised_in.startswith("tensorflow.")


def first_line(error: BaseException) -> str:
    """Return the line of TensorFlow's error that tells what happened, cut to 300 characters."""
    lines = [_PLACES.sub("", line).strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not _AROUND.match(line)]
    return brief(said[0].rstrip("."), _MAX_LINE) if said else type(error).__name__
