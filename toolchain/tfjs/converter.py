"""Imports the `tensorflowjs` converter without libraries that are not needed here.

Importing any module of `tensorflowjs` imports all of it, including JAX and TF Decision Forests.
These are large and slow to import, and the latter has no package for Python 3.13. Converting a
SavedModel needs neither. So the converter's modules are imported without running the package's
own `__init__.py`, and with empty modules in place of libraries that they import but do not call.
"""

from __future__ import annotations

import contextlib
import sys
from functools import cache
from importlib import util
from types import ModuleType
from typing import TYPE_CHECKING, Any

from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = "tensorflowjs"
_NEVER_CALLED = ("tensorflow_decision_forests", "tensorflow_hub")


@cache
def load() -> Any:
    """Import the converter and return its module `tf_saved_model_conversion_v2`.

    Its attributes include the modules of the passes. The module is a separate copy: elsewhere,
    `import tensorflowjs` still imports the whole package.

    Raises:
        ToolchainError: The converter is not installed, or does not fit the installed TensorFlow.
    """
    try:
        with _stripped():
            from tensorflowjs.converters import tf_saved_model_conversion_v2
    except ImportError as error:
        raise ToolchainError(
            f"the TF.js converter cannot be imported ({error}); `toolchain doctor` tells how "
            "to install it"
        ) from error
    return tf_saved_model_conversion_v2


@contextlib.contextmanager
def _stripped() -> Iterator[None]:
    """Let the block import single modules of the package, and remove all of it afterwards."""
    before = _taken_away()
    try:
        for name in (_PACKAGE, f"{_PACKAGE}.converters"):
            spec = util.find_spec(name)
            if spec is None:
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            sys.modules[name] = util.module_from_spec(spec)
        sys.modules.update({name: ModuleType(name) for name in _NEVER_CALLED})
        yield
    finally:
        _taken_away()
        sys.modules.update(before)


def _taken_away() -> dict[str, ModuleType]:
    names = [name for name in sys.modules if name.partition(".")[0] in (_PACKAGE, *_NEVER_CALLED)]
    return {name: sys.modules.pop(name) for name in names}
