"""Freezes a loaded SavedModel: its variables become constants of one graph."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from toolchain.graph.signature import Signature


def freeze(loaded: Any, signature: Signature) -> Any:
    """Return a signature's graph without variables, as TensorFlow's `ConcreteFunction`.

    Args:
        loaded: What TensorFlow loaded from the SavedModel.
        signature: The signature to freeze.
    """
    tensorflow.load()
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    return convert_variables_to_constants_v2(loaded.signatures[signature.key])
