"""The packed form of a kernel: what stands in `model.json`, and how its bytes are read.

The reader in the page is `web/src/worker/packed-weights.ts`. Beside the manifest,
`model.json` holds a table of at most 256 steps, `packing.scales`. A packed weight is one
byte a channel, the number of its step, then one byte a weight, channel after channel.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

    Array = np.ndarray[Any, Any]

SCHEMA = 1
ZERO = 128
"""The byte that stands for 0."""
MAX_SCALES = 256


def unpack(entry: Mapping[str, Any], data: bytes, scales: Array) -> Array:
    """Decode one packed weight as the page does: one product, rounded once to float32.

    Args:
        entry: Its entry in the manifest.
        data: Its bytes: a step's number for each channel, then the values by channel.
        scales: The table of steps, float32.

    Raises:
        BadInputError: The bytes are not of the length that the entry says, or name a step
            that is not in the table.
    """
    shape, channels = entry["shape"], entry["packed"]["channels"]
    size = int(np.prod(shape, dtype=np.int64))
    numbers = np.frombuffer(data, np.uint8, channels)
    if len(data) != channels + size or numbers.max(initial=0) >= len(scales):
        raise BadInputError(f"the packed weight {entry['name']} is damaged; build the site again")
    values = np.frombuffer(data, np.uint8, size, channels).reshape(channels, -1).T
    product = (values.astype(np.float64) - ZERO) * scales[numbers].astype(np.float64)
    decoded: Array = product.astype(np.float32).reshape(shape)
    return decoded
