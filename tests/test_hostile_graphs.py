"""What a SavedModel's graph would do, read before TensorFlow has it: one fault in each."""

from __future__ import annotations

import pytest

from tests.fuzz.saved_models import field, graph, node
from toolchain.sources import operations


def calls(*names: str) -> dict[str, list[bytes]]:
    """Return functions that call each other in this order."""
    pairs = zip(names, (*names[1:], ""), strict=True)
    return {name: [node("n", "PartitionedCall", calls=called)] for name, called in pairs}


SAVER = [node("save", "SaveV2"), node("restore", "NoOp", "^r"), node("r", "RestoreV2", "save/name")]
OUT = node("out", "MatMul")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (graph([OUT, *SAVER]), None),
        (graph([node("out", "Relu", "^save"), *SAVER]), "operation SaveV2 is not"),
        (graph([OUT, node("restore", "NoOp", "^save"), node("save", "SaveV2")]), "SaveV2"),
        (graph([OUT, node("never", "ReadFile")]), "operation ReadFile is not"),
        (graph([OUT, node("never", "SaveV2"), node("nor", "ScalarSummary")]), None),
        (graph([node("out", "Relu", "a"), node("a", "ScalarSummary")]), "operation ScalarSummary"),
        (graph([node("out", "Later")]), "operation Later is not listed"),
        (
            graph([OUT, node("restore", "RestoreV2", "other/name")]),
            "operation RestoreV2 names the file",
        ),
        (graph([OUT, node("restore", "RestoreV2")]), "operation RestoreV2 names the file"),
        (
            graph([OUT, node("restore", "f")], {"f": [node("a", "RestoreV2", "prefix")]}),
            "operation RestoreV2 in the function 'f' names the file",
        ),
        (graph([OUT, node("restore", "f")], {"f": [node("a", "RestoreV2")]}, objects="g"), None),
        (
            graph([OUT, node("restore", "f")], {"f": [node("a", "RestoreV2")]}, objects="g") * 2,
            "operation RestoreV2 in the function 'f' names the file",
        ),
        (graph([node("out", "Relu", "a:1"), node("a", "ReadFile")]), "operation ReadFile is not"),
        (graph([OUT], {"loose": [node("a", "ReadFile")]}), "in the function 'loose'"),
        (
            graph([OUT, node("save", "PartitionedCall", calls="s")], {"s": [node("a", "SaveV2")]}),
            None,
        ),
        (
            graph(
                [OUT, node("save", "PartitionedCall", calls="s")],
                {"s": [node("a", "SaveV2")]},
                objects="/s",
            ),
            "SaveV2 in the function 's'",
        ),
        (
            graph([node("out", "s"), node("save", "s")], {"s": [node("a", "SaveV2")]}),
            "SaveV2 in the function 's'",
        ),
        (graph([OUT, node("i", "WriteFile")], prepares="i"), "operation WriteFile"),
        (graph([node("out", "Relu") + b"\x12\x08ReadFile"]), "operation ReadFile"),
        (graph([node("out", "ReadFile") + b"\x12\x04Relu"]), "operation ReadFile"),
        (graph([node("c", "Const", sizes=(1 << 20, 1 << 20)), OUT]), "declare 1,099,511,627,776"),
        (graph([node("c", "Const", sizes=(-1, 1 << 62)), OUT]), "declare 4,611,686,018"),
        (graph([node("c", "Const", sizes=(1 << 29,))] * 3), "declare 1,610,612,736 numbers"),
        (graph([OUT], calls("a", "b", "c")), None),
        (graph([OUT], {**calls("b", "a"), "a": calls("a", "b")["a"]}), "calls itself"),
        (graph([OUT], calls(*[f"f{number}" for number in range(99)])), "64 deep"),
    ],
    ids=range(26),
)
def test_what_a_graph_would_do_shows_before_it_is_loaded(content: bytes, fault: str | None) -> None:
    found = operations.fault_of(content)
    assert found is None if fault is None else fault in str(found)


def test_a_graph_of_too_many_operations_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "_MAX_NODES", 3)
    assert operations.fault_of(graph([OUT] * 3)) is None
    assert operations.fault_of(graph([OUT] * 4)) == "its graph has more than 3 operations"


def test_a_graph_that_is_nested_without_end_is_refused() -> None:
    value = b""
    for _ in range(10_000):  # a function (10) with attributes (2), one of them a function
        value = field(10, field(2, field(2, value)))
    of_a_node = field(2, field(1, field(5, field(2, value))))
    with pytest.raises(ValueError, match="is cut off or is something else"):
        operations.fault_of(field(2, of_a_node))
