"""The packed form of a kernel: its entry in `model.json`, and the layout of its bytes.

The page reads it in `web/src/worker/packed-weights.ts`. `docs/packing.schema.json`, and from it
the page's checks, are generated from the records here. Beside the manifest, `model.json` holds a
table of at most 256 step sizes, `packing.scales`. A packed weight has one byte for each channel,
the index of its step size, and then one byte for each weight, channel after channel. The channels
are in the order of a stable sort by their indices, so that similar channels are neighbours.

All files of weights together are one gzip stream, so that their size is the same from every host
and damage is detected. Its header, ten bytes that are always the same, is left out: some hosts,
such as Apache's with mod_mime_magic, take a file that begins like gzip for one to be sent with a
Content-Encoding, and the browser then hands out the unpacked bytes. The stream uses only Huffman
codes, because rounded weights contain no repeats. Each part has its own codes. This makes it only
0.4 % larger than Brotli 11, measured on MobileNetV2 (docs/compression.md).
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import models_json_schema

from toolchain.errors import BadInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    Array = np.ndarray[Any, Any]

SCHEMA: Literal[3] = 3
ENCODING: Literal["gzip-without-header"] = "gzip-without-header"
READABLE = ((SCHEMA, ENCODING), (2, "gzip"))
"""What Python reads: also sites of version 0.1."""
ZERO = 128
"""The byte that stands for 0."""
MAX_SCALES = 256
EARLY_BYTES = 512 << 10
"""Length of the first file, which the page requests early, before it is painted; it requests the
other files afterwards. With 512 KiB, MobileNetV2's first tag came after 2,709 ms, with 128 after
2,873 (`--network 9mbit,170ms`, medians of 6 visits each, in turn, on a busy machine)."""

_FLOAT32 = np.finfo(np.float32)


class _Record(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )


class Packing(_Record):
    """What `packing` of a `model.json` says."""

    schema_: Annotated[Literal[3], Field(alias="schema")] = SCHEMA
    encoding: Literal["gzip-without-header"] = ENCODING
    scales: tuple[
        Annotated[float, Field(ge=float(_FLOAT32.smallest_subnormal), le=float(_FLOAT32.max))],
        ...,
    ] = Field(max_length=MAX_SCALES)
    """The step sizes, each a float32."""


class Packed(_Record):
    """What `packed` of a weight's entry in the manifest says."""

    channels: Annotated[int, Field(gt=0)]


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of `packing` and `packed`, as definitions."""
    _, definitions = models_json_schema(
        [(Packing, "serialization"), (Packed, "serialization")], by_alias=True
    )
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **definitions}


_GZIP = 16 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
# RFC 1952: deflate, no flags, no time, best compression, unknown system.
_HEAD = bytes.fromhex("1f8b08000000000002ff")
# zlib's memory levels to try. They set the length of its blocks, each of which has its own codes:
# from 1,024 bytes to 32,768.
_FINENESS = range(4, 10)


def pack(numbers: bytes, values: Array) -> tuple[bytes, bytes]:
    """Return the two parts of a packed weight.

    Args:
        numbers: The index of each channel's step size, one byte each.
        values: Integers from -128 to 127, `[channels, values of a channel]`.
    """
    return numbers, (values[_order(numbers)] + ZERO).astype(np.uint8).tobytes()


def unpack(entry: Mapping[str, Any], data: bytes, scales: Array) -> Array:
    """Decode one packed weight as the page does: one product, rounded once to float32.

    Args:
        entry: Its entry in the manifest.
        data: Its bytes: both parts.
        scales: The table of step sizes, float32.

    Raises:
        BadInputError: The bytes have another length than the entry says, or an index is not in
            the table.
    """
    shape, channels = entry["shape"], entry["packed"]["channels"]
    size = int(np.prod(shape, dtype=np.int64))
    numbers = np.frombuffer(data, np.uint8, channels)
    if len(data) != channels + size or numbers.max(initial=0) >= len(scales):
        raise BadInputError(f"the packed weight {entry['name']} is damaged; build the site again")
    values = np.empty((channels, size // channels))
    values[_order(numbers)] = np.frombuffer(data, np.uint8, size, channels).reshape(channels, -1)
    product = (values.T - ZERO) * scales[numbers].astype(np.float64)
    decoded: Array = product.astype(np.float32).reshape(shape)
    return decoded


def compress(parts: Iterable[bytes]) -> bytes:
    """Return one gzip stream of all parts, without its header; equal parts give equal streams."""
    stream: list[bytes] = []
    checksum = length = 0
    for part in parts:
        candidates = [_deflated(part, fineness, zlib.Z_HUFFMAN_ONLY) for fineness in _FINENESS]
        # Indices of step sizes do repeat, and so may weights that are not packed.
        candidates.append(_deflated(part, zlib.DEF_MEM_LEVEL, zlib.Z_DEFAULT_STRATEGY))
        stream.append(min(candidates, key=len))
        checksum, length = zlib.crc32(part, checksum), length + len(part)
    stream.append(zlib.compressobj(wbits=_RAW).flush())
    stream.append(checksum.to_bytes(4, "little") + (length % (1 << 32)).to_bytes(4, "little"))
    return b"".join(stream)


def decompress(stream: bytes, length: int, name: str) -> bytes:
    """Return the bytes of a gzip stream.

    Args:
        stream: The whole stream, with or without its header.
        length: The expected number of bytes.
        name: How messages name the stream.

    Raises:
        BadInputError: It is damaged, cut off, or has another number of bytes.
    """
    inflater = zlib.decompressobj(_GZIP)
    try:
        data = inflater.decompress(with_header(stream), length + 1)
    except zlib.error as error:
        raise BadInputError(f"{name} is damaged ({error}); build the site again") from error
    if len(data) > length or inflater.unused_data:
        raise BadInputError(f"{name} is longer than its manifest says; build the site again")
    if len(data) < length or not inflater.eof:
        raise BadInputError(f"{name} is cut off; build the site again")
    return data


def with_header(stream: bytes) -> bytes:
    """Return a gzip stream with its header, which it may have or not.

    No stream without a header begins like one: deflate has no blocks of the type that its first
    byte would stand for (RFC 1951, 3.2.3).
    """
    return stream if stream.startswith(_HEAD[:1]) else _HEAD + stream


def without_header(stream: bytes) -> bytes:
    """Return a gzip stream that Python made without its header, which has no name and no time."""
    return stream[len(_HEAD) :]


def _order(numbers: bytes | Array) -> Array:
    return np.argsort(np.frombuffer(numbers, np.uint8), kind="stable")


def _deflated(part: bytes, fineness: int, strategy: int) -> bytes:
    """Return deflate blocks that end at a byte boundary and refer to no earlier part."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, _RAW, fineness, strategy)
    return compressor.compress(part) + compressor.flush(zlib.Z_SYNC_FLUSH)
