"""Strategies for damaged bytes, texts and JSON: valid ones, changed in a few places."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Sequence

_ODD_BYTES = (
    *(b"\0", b"\xff", b"\x7f", b"\x80", b"\xff" * 4, b"\xff" * 8, b"\xff\xff\xff\x7f"),
    *(b"\0" * 8, b"\x80" * 9 + b"\x01", b"../", b"\n", b"\x1b[2J", b"9" * 12, b"\xed\xa0\x80"),
)
_ODD_TEXTS = (
    *("", "\0", "\ud800", "\u202e", "\u2028", "\x1b[2J", "../..", "/etc/passwd", "nan", "x" * 5000),
    *("<script>", "1e999", "keras.utils", "os", "Lambda", "\U0001f600", "a\nb", "-0", "\U0001d7d9"),
)
_ODD_VALUES: tuple[Any, ...] = (
    *(None, True, 0, -1, 2**31, 2**63, 2**64, 10**400, 1e308, float("nan"), float("inf")),
    *([], {}, [[]], {"": None}, [1] * 1000, {"class_name": "Lambda"}, {"class_name": []}),
)

_place = st.integers(0, 2**16)
_Edit = tuple[str, int, int, bytes]
GraphEdit = tuple[str, int, int, int]
_edits = st.lists(
    st.tuples(
        st.sampled_from(["put", "insert", "cut", "flip", "again", "end"]),
        _place,
        st.integers(0, 64),
        st.one_of(st.sampled_from(_ODD_BYTES), st.binary(min_size=1, max_size=8)),
    ),
    min_size=1,
    max_size=6,
)


def _edited(whole: bytes, edits: Sequence[_Edit]) -> bytes:
    made = bytearray(whole)
    for kind, place, count, piece in edits:
        at = place % (len(made) + 1)
        if kind == "put":
            made[at : at + len(piece)] = piece
        elif kind == "insert":
            made[at:at] = piece
        elif kind == "cut":
            del made[at : at + count]
        elif kind == "flip" and at < len(made):
            made[at] ^= 1 << count % 8
        elif kind == "again":
            made[at:at] = made[at : at + count]
        elif kind == "end" and count % 8 == 0:  # not more often: little is left to read
            del made[at:]
    return bytes(made)


def graph_edits(kinds: Sequence[str], odd: Sequence[int]) -> st.SearchStrategy[list[GraphEdit]]:
    """Return a strategy for changes of a graph: their kind, two places, and an odd number."""
    place = st.integers(0, 1 << 16)
    edit = st.tuples(st.sampled_from(kinds), place, place, st.sampled_from(odd))
    return st.lists(edit, min_size=1, max_size=4)


def bytes_like(*wholes: bytes) -> st.SearchStrategy[bytes]:
    """Return a strategy for bytes that differ from one of these at up to six places."""
    return st.builds(_edited, st.sampled_from(wholes), _edits)


def texts_like(*wholes: str) -> st.SearchStrategy[bytes]:
    """Return a strategy for text files with odd characters, most of them UTF-8."""

    def planted(whole: str, places: Sequence[tuple[int, str]]) -> bytes:
        for place, odd in places:
            at = place % (len(whole) + 1)
            whole = whole[:at] + odd + whole[at:]
        return whole.encode("utf-8", "surrogatepass")

    odd = st.one_of(st.sampled_from(_ODD_TEXTS), st.text(max_size=5))
    plants = st.lists(st.tuples(_place, odd), max_size=3)
    whole = st.builds(planted, st.sampled_from(wholes), plants)
    return st.one_of(whole, bytes_like(*[each.encode() for each in wholes]))


def json_like(*wholes: Any) -> st.SearchStrategy[bytes]:
    """Return a strategy for JSON that differs from one of these at up to three of its values."""
    value = st.one_of(st.sampled_from(_ODD_VALUES), st.sampled_from(_ODD_TEXTS), st.integers())
    changes = st.lists(st.tuples(_place, value, st.booleans()), min_size=1, max_size=3)

    def changed(text: str, changes: Sequence[tuple[int, Any, bool]]) -> bytes:
        whole = json.loads(text)
        for place, odd, removes in changes:
            slots = list(_slots(whole))
            if not slots:
                return json.dumps(odd).encode()
            holder, key = slots[place % len(slots)]
            if removes and isinstance(holder, dict):
                del holder[key]
            else:
                holder[key] = copy.deepcopy(odd)  # later changes may apply to it
        return json.dumps(whole).encode()

    dumped = [json.dumps(whole) for whole in wholes]
    structured = st.builds(changed, st.sampled_from(dumped), changes)
    return st.one_of(structured, structured, texts_like(*dumped))


def _slots(value: Any) -> Any:
    """Yield each place of a JSON value that another value can be put into."""
    keys = value if isinstance(value, dict) else range(len(value))
    for key in keys:
        yield value, key
        if isinstance(value[key], dict | list):
            yield from _slots(value[key])
