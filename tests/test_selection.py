"""Which photos a plan is rounded by, and which it answers to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from toolchain.quantize.selection import held_out, select
from toolchain.quantize.settings import QuantizeSettings

if TYPE_CHECKING:
    from pathlib import Path


def folder(path: Path, count: int) -> Path:
    """Make an ImageFolder of two classes whose files are empty: nobody reads them here."""
    for number in range(count):
        kind = path / ("cat", "dog")[number % 2]
        kind.mkdir(parents=True, exist_ok=True)
        (kind / f"{number:03}.png").touch()
    return path


@pytest.mark.parametrize(
    ("count", "held"),
    [(1, 0), (2, 1), (60, 30), (100, 50), (250, 50), (500, 100), (5000, 250)],
)
def test_a_small_part_is_held_out_and_never_more_than_half(count: int, held: int) -> None:
    assert held_out(count) == held


def test_all_calibration_photos_are_rounded_by_and_keep_their_labels(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 60)
    selection = select(QuantizeSettings("auto", calibration=photos))
    assert selection.rounding is not None
    assert len(set(selection.rounding.paths)) == 60
    assert selection.rounding.classes == tuple(
        path.parent.name for path in selection.rounding.paths
    )
    assert selection.rounding.paths != tuple(sorted(selection.rounding.paths))  # drawn at random
    assert selection == select(QuantizeSettings("auto", calibration=photos))
    assert selection != select(QuantizeSettings("auto", calibration=photos, seed=1))
    assert selection.judging is None
    assert selection.holds_out
    assert not selection.is_blind


def test_photos_to_judge_by_leave_all_others_to_round_by(tmp_path: Path) -> None:
    seen, judged = folder(tmp_path / "seen", 40), folder(tmp_path / "judged", 300)
    selection = select(QuantizeSettings("auto", calibration=seen, evaluation=judged))
    assert selection.rounding is not None
    assert selection.judging is not None
    assert len(selection.rounding.paths) == 40
    assert len(selection.judging.paths) == 250
    assert set(selection.judging.classes or ()) == {"cat", "dog"}
    assert not selection.holds_out


def test_one_folder_given_twice_is_one_set_of_photos(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 60)
    twice = select(QuantizeSettings("auto", calibration=photos, evaluation=photos))
    assert twice == select(QuantizeSettings("auto", calibration=photos))
    single = folder(tmp_path / "single", 1)
    alone = select(QuantizeSettings("auto", calibration=single, evaluation=single))
    assert alone.rounding is not None
    assert alone.is_blind


def test_photos_that_there_is_no_room_for_judge(tmp_path: Path) -> None:
    photos = folder(tmp_path / "photos", 150)
    options = QuantizeSettings("auto", calibration=photos)
    selection = select(options, most=90)
    assert selection.rounding is not None
    assert selection.judging is not None
    assert len(selection.rounding.paths) == 90
    assert len(selection.judging.paths) == selection.left_out == 60
    assert set(selection.rounding.paths).isdisjoint(selection.judging.paths)
    assert not selection.holds_out
    few = select(options, most=140)
    assert few.judging is None
    assert few.holds_out
    assert few.left_out == 10


def test_without_photos_there_are_none() -> None:
    selection = select(QuantizeSettings("auto"))
    assert selection.rounding is None
    assert selection.judging is None
    assert selection.is_blind
