"""The search for `auto`'s plan, on networks of which bytes and drop are known at any bits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests import verdicts
from toolchain.errors import ToolchainError
from toolchain.progress import Silent
from toolchain.quantize import search

WEIGHTS = 3_500_000
NOTHING = verdicts.empty(1)


@dataclass(frozen=True)
class Known:
    """A network whose drop is under a point from `edge` bits on."""

    edge: float
    graph: int = 8_000
    """Bytes that do not fall with the bits."""
    coder: float = 1.0
    """Bytes after Brotli for each byte estimated."""
    weights: int = WEIGHTS
    least_bits: float = 0.0

    def bytes_at(self, bits: float) -> int:
        return round(bits * self.weights / 8)

    def takes(self, bits: float) -> int:
        return self.graph + round(self.coder * self.bytes_at(bits))

    def drops(self, bits: float) -> float:
        return max(0.0, 1.0 + 5 * (self.edge - bits))


class Hearing(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


def find(
    known: Known, monkeypatch: pytest.MonkeyPatch, *, max_drop: float = 1.0, max_bytes: int | None
) -> tuple[list[float], Any, Hearing]:
    """Return the bits that were tried, what was found or why not, and what was said."""
    tried: list[float] = []

    def attempt(planning: Any, _judge: Any, bits: float, _progress: Any) -> search.Candidate:
        tried.append(bits)
        nobody: Any = None
        return search.Candidate(
            bits, bits, planning.takes(bits), planning.drops(bits), NOTHING, nobody
        )

    monkeypatch.setattr(search, "attempt", attempt)
    planning: Any = known
    judge: Any = None
    hearing = Hearing()
    try:
        found: Any = search.find(
            planning, judge, max_drop=max_drop, max_bytes=max_bytes, progress=hearing
        )
    except ToolchainError as error:
        found = error
    return tried, found, hearing


@settings(deadline=None)
@given(
    edge=st.floats(3.6, 5.4),
    coder=st.floats(0.97, 1.03),
    graph=st.integers(2_000, 20_000),
    room=st.floats(1.06, 2.0),
)
def test_it_finds_a_plan_near_the_edge_wherever_there_is_room_for_one(
    edge: float, coder: float, graph: int, room: float
) -> None:
    known = Known(edge, graph, coder)
    most = round(room * known.takes(edge))
    with pytest.MonkeyPatch.context() as monkeypatch:
        tried, found, _ = find(known, monkeypatch, max_bytes=most)
    assert len(tried) <= 5
    assert isinstance(found, search.Candidate)
    assert found.drop <= 1.0
    assert found.bytes <= most
    assert found.bits < edge + 0.4


def test_a_limit_that_does_not_bind_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    for edge in (3.7, 4.4, 5.1):
        known = Known(edge)
        free, best, _ = find(known, monkeypatch, max_bytes=None)
        bound, same, _ = find(known, monkeypatch, max_bytes=2 * known.takes(6.0))
        assert (free, best) == (bound, same)


def test_the_first_candidate_aims_a_little_under_a_tight_limit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Known(3.0)
    most = known.takes(4.0)
    tried, _, _ = find(known, monkeypatch, max_bytes=most)
    assert 0.96 * most < known.takes(tried[0]) <= most


def test_what_a_graph_takes_beyond_its_weights_is_left_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Known(3.0, graph=400_000)
    tried, found, hearing = find(known, monkeypatch, max_bytes=known.takes(3.5))
    assert known.takes(tried[0]) > known.takes(3.5)  # nobody knew of the graph yet
    assert known.takes(tried[1]) <= known.takes(3.5)
    assert found.bytes <= known.takes(3.5)
    assert found.bits >= 3.0
    assert hearing.said[0].startswith(f"Plan 1: {known.takes(tried[0]) / 1e6:.3f} MB after Brotli")


def test_limits_that_contradict_name_the_nearest_plan_with_its_bytes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Known(5.0)
    most = known.takes(4.0)
    tried, error, _ = find(known, monkeypatch, max_bytes=most)
    assert len(tried) <= 2  # finer ones have no room, coarser ones drop more
    assert isinstance(error, ToolchainError)
    nearest = max(bits for bits in tried if known.takes(bits) <= most)
    assert str(error).startswith(
        f"no plan keeps the drop under 1 points within {most / 1e6:.3f} MB after Brotli; the "
        f"nearest found has {known.takes(nearest) / 1e6:.3f} MB and drops "
        f"{known.drops(nearest):.2f} points: allow more with --max-drop or --max-bytes"
    )


def test_a_limit_that_the_graph_alone_exceeds_ends_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tried, error, _ = find(Known(4.0), monkeypatch, max_drop=100.0, max_bytes=5_000)
    assert len(tried) == 1
    assert "the nearest found has 0.01" in str(error)


@pytest.mark.parametrize(
    ("drops", "found", "room", "bits"),
    [
        # Half a bit less makes the drop about twice as large.
        ({4.6: 0.5}, True, None, 4.1),
        ({4.6: 2.0}, False, None, 5.0),
        ({4.6: 1.3}, False, None, 4.6 + 0.19),
        ({4.6: 1.01}, False, None, 4.7),
        ({4.6: 40.0, 5.0: 20.0}, False, None, 5.8),  # twice as far each time
        ({4.6: 0.0}, True, None, 3.8),  # no further than that, whatever the luck
        ({4.2: 2.0, 4.6: 0.5}, True, None, 4.4),
        ({4.2: 4.0, 4.6: 0.9}, True, None, 4.5),
        ({4.0: 1.1, 4.6: 0.5}, True, None, 4.15),  # never nearer than a quarter to either
        ({4.3: 2.0, 4.2: 9.0, 4.6: 0.5, 5.0: 0.1}, True, 9.0, 4.45),
        ({4.6: 0.9}, True, None, None),  # what is left to gain is not worth a run
        ({4.45: 2.0, 4.6: 0.5}, True, None, None),
        ({4.45: 2.0, 4.6: 0.5}, False, None, 4.525),  # but it is, where there is nothing yet
        ({4.45: 2.0, 4.6: 0.5}, False, 4.51, 4.51),
        ({4.45: 2.0, 4.6: 0.5}, False, 4.46, None),
        ({4.6: 9.0}, False, 4.7, 4.7),
        ({4.6: 9.0}, False, 4.62, None),
        ({0.3: 0.0}, True, None, None),
        ({4.6: 2.0, 4.2: 0.5}, True, None, None),  # noise
    ],
)
def test_the_next_bits(
    drops: dict[float, float], found: bool, room: float | None, bits: float | None
) -> None:
    wanted = search.next_bits(drops, max_drop=1.0, found=found, room=room)
    assert wanted == (None if bits is None else pytest.approx(bits, abs=0.002))


def test_a_limit_of_no_drop_at_all_goes_on_to_more_bits() -> None:
    assert search.next_bits({4.6: 0.5}, max_drop=0.0, found=False, room=None) == pytest.approx(5.0)
    both = search.next_bits({4.6: 0.5, 5.0: 0.0}, max_drop=0.0, found=True, room=None)
    assert both is not None
    assert 4.6 < both < 5.0


def test_bits_do_not_go_down_to_where_pictures_are_not_to_be_trusted() -> None:
    def following(least: float, room: float | None, *, found: bool) -> float | None:
        return search.next_bits({5.4: 0.1}, max_drop=1.0, found=found, room=room, least=least)

    assert following(5.4, None, found=True) is None
    assert following(5.2, None, found=True) == pytest.approx(5.2)
    # A limit of bytes that the user gave is kept all the same.
    assert following(5.4, 4.0, found=False) == pytest.approx(4.0)


def test_why_no_fewer_bits_are_tried_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    tried, found, hearing = find(Known(4.0, least_bits=5.4), monkeypatch, max_bytes=None)
    assert tried == [5.4]
    assert found.bits == 5.4
    assert hearing.said[-1].startswith("Fewer than 5.4 bits a weight are not tried without photos")


def test_the_next_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="nothing was tried"):
        search.next_bits({}, max_drop=1.0, found=False, room=None)


def candidates(*drops: tuple[float, float]) -> list[search.Candidate]:
    nobody: Any = None
    return [
        search.Candidate(bits, bits, round(1000 * bits), drop, NOTHING, nobody)
        for bits, drop in drops
    ]


def test_candidates_that_contradict_each_other_are_not_taken_at_their_word() -> None:
    # The drops that a search within the noise of its judge once found.
    tried = candidates((4.6, 1.70), (5.0, 0.65), (4.8, 2.29), (4.9, 2.28))
    drops = [one.drop for one in search.without_contradictions(tried)]
    assert drops == pytest.approx([6.27 / 3, 0.65, 2.29, 2.28])
    # Of two whose order is wrong, the luckier one is not better than both together.
    assert [
        one.drop for one in search.without_contradictions(candidates((4.6, 0.2), (5.0, 1.4)))
    ] == pytest.approx([0.8, 1.4])


def test_candidates_in_order_stay_as_they_are() -> None:
    tried = candidates((5.0, 0.5), (4.2, 2.0), (4.6, 1.0), (5.4, 0.5))
    assert search.without_contradictions(tried) == tried


def test_the_smallest_by_luck_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """4.6 bits seem fine, 4.1 too large, and 4.35 between them larger still."""

    class Lucky(Known):
        def drops(self, bits: float) -> float:
            return {4.6: 0.5}.get(round(bits, 2), 3.0 if bits > 4.2 else 1.1)

    _, found, hearing = find(Lucky(0.0), monkeypatch, max_bytes=None)
    assert found.bits == pytest.approx(4.6)
    assert any("plans cannot be told apart" in said for said in hearing.said)
