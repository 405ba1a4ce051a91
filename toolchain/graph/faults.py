"""Turns what TensorFlow raises inside a user's network into a sentence that names the model.

A network can be whole and still fail: an assertion of its author's, an index out of range, a shape
that only fits other images. TensorFlow says so with an exception, which is the user's to read.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from toolchain.errors import BadInputError
from toolchain.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

# What TensorFlow writes around the line that says what happened.
_AROUND = re.compile(
    r"Graph execution error|Detected at node|Detected unsupported|<stack traces|File "
)
_PLACES = re.compile(r"\{\{[^}]*\}\}|\[\[.*\]\]|\[Op:[^\]]*\]( name: *)?")
_MAX_LINE = 300  # characters; TensorFlow quotes whole tensors


@contextmanager
def of_model(model: str, doing: str = "run") -> Iterator[None]:
    """Say of the model what TensorFlow raises within the block.

    Args:
        model: The user's name for it.
        doing: The participle of what is tried with it: "run", "frozen".

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
            "on one image in Python, mend the model and save it again"
        ) from error


def is_tensorflows(error: BaseException) -> bool:
    """Tell whether an exception was raised by TensorFlow: its own kinds, and others by its code."""
    if type(error).__module__.startswith("tensorflow."):
        return True
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    raised_in = "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))
    return raised_in.startswith("tensorflow.")


def first_line(error: BaseException) -> str:
    """Return the line of TensorFlow's error that says what happened, at most 300 characters."""
    lines = [_PLACES.sub("", line).strip() for line in str(error).splitlines()]
    said = [line for line in lines if line and not _AROUND.match(line)]
    line = printable(said[0].rstrip(".")) if said else type(error).__name__
    return line if len(line) <= _MAX_LINE else f"{line[:_MAX_LINE]}…"
