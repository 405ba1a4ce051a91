"""Protobuf's wire format, read without a schema: what a message holds before anybody parses it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

# The ways to write a field; they cannot change without breaking every message there is.
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


def fields(message: bytes | memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yield the number and raw value of each field of a message, in order.

    Raises:
        ValueError: The bytes end within a field or are no message.
    """
    message = memoryview(message)
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        kind = tag & 7
        if kind == _VARINT:
            start = at
            _, end = _varint(message, at)
        elif kind == _LENGTH:
            size, start = _varint(message, at)
            end = start + size
        elif kind in (_FIXED64, _FIXED32):
            start, end = at, at + (8 if kind == _FIXED64 else 4)
        else:
            raise ValueError(f"unknown kind of field: {kind}")
        if end > len(message) or tag >> 3 == 0:
            raise ValueError("the message is cut off")
        yield tag >> 3, message[start:end]
        at = end


def every(message: bytes | memoryview, *path: int) -> Iterator[memoryview]:
    """Yield the values at a path of field numbers, through all messages that have them.

    Raises:
        ValueError: As :func:`fields`.
    """
    if not path:
        yield memoryview(message)
        return
    for number, value in fields(message):
        if number == path[0]:
            yield from every(value, *path[1:])


def texts(message: bytes | memoryview, *path: int) -> list[str]:
    """Return the texts at a path of field numbers; what is no UTF-8 is escaped.

    Raises:
        ValueError: As :func:`fields`.
    """
    return [bytes(value).decode("utf-8", "backslashreplace") for value in every(message, *path)]


def whole_number(value: memoryview) -> int:
    """Return the signed 64-bit number of a varint field.

    Raises:
        ValueError: It is none.
    """
    number, _ = _varint(value, 0)
    number &= (1 << 64) - 1
    return number - (1 << 64) if number >> 63 else number


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if at >= len(message):
            break
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:  # noqa: PLR2004 - the top bit says that more bytes follow
            return value, at
    raise ValueError("the message is cut off")
