"""SavedModels of a few nodes, written field by field so that they can hold invalid content."""

from __future__ import annotations

from typing import Any


def field(number: int, *values: bytes | int) -> bytes:
    """Return a protobuf field for each value."""
    made = b""
    for value in values:
        if isinstance(value, int):
            made += _varint(number << 3) + _varint(value & ((1 << 64) - 1))
        else:
            made += _varint(number << 3 | 2) + _varint(len(value)) + value
    return made


def _varint(value: int) -> bytes:
    made = bytearray()
    while value > 0x7F:
        made.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*made, value))


def node(name: str, operation: str, *inputs: str, calls: str = "", sizes: Any = ()) -> bytes:
    """Return a NodeDef, with a function to call and a constant's shape if they are given."""
    shape = field(2, *[field(2, field(1, size)) for size in sizes])
    called = field(5, field(1, b"f") + field(2, field(10, field(1, calls.encode()))))
    constant = field(5, field(1, b"value") + field(2, field(8, shape)))
    made = field(1, name.encode()) + field(2, operation.encode())
    made += field(3, *[each.encode() for each in inputs])
    return made + (called if calls else b"") + (constant if sizes else b"")


def graph(
    nodes: list[bytes],
    functions: dict[str, list[bytes]] | None = None,
    *,
    output: str = "out",
    saver: tuple[str, str] | None = ("save", "restore"),
    prepares: str = "",
    objects: str = "",
) -> bytes:
    """Return a SavedModel of one graph whose signature returns `output`.

    Its object graph, if it has one, names the function `objects`.
    """
    library = b"".join(
        field(1, field(1, field(1, name.encode())) + field(3, *body))
        for name, body in (functions or {}).items()
    )
    given = field(2, field(1, b"scores") + field(2, field(1, f"{output}:0".encode())))
    signature = field(1, b"serving_default") + field(2, given)
    meta_graph = field(2, field(1, *nodes) + field(2, library)) + field(5, signature)
    if saver:
        said = (f"{saver[0]}/name:0", *saver)
        meta_graph += field(3, b"".join(field(1 + at, n.encode()) for at, n in enumerate(said)))
    collection = b""
    if prepares:  # a node that the loader runs
        names = field(2, field(1, field(1, prepares.encode())))
        collection = field(4, field(1, b"saved_model_main_op") + names)
    named = field(2, field(1, objects.encode()) + field(2, b"")) if objects else b""
    return field(1, 1) + field(2, meta_graph + collection + field(7, named))
