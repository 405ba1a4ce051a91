"""What `toolchain train` prints when it has finished."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from tests import trainings
from toolchain.cli import training_tables

if TYPE_CHECKING:
    import pytest

    from toolchain.records import training


def shown(
    record: training.Training, capsys: pytest.CaptureFixture[str], out: str = "photos.model"
) -> str:
    training_tables.show(record, Path(out))
    return capsys.readouterr().out


def row(text: str, name: str) -> str:
    """Return the rest of the only row that begins with a name."""
    (found,) = re.findall(rf"^ +{re.escape(name)} {{2,}}(.*?) *$", text, re.MULTILINE)
    return str(found)


def test_every_figure_is_named_with_its_interval(capsys: pytest.CaptureFixture[str]) -> None:
    record = trainings.record()
    text = shown(record, capsys)
    assert record.test is not None
    assert record.none_of_these is not None
    for name, share in (
        ("accuracy, out of fold", record.out_of_fold.accuracy),
        ("accuracy in other_day", record.test.accuracy),
        ("photos of the tags that get one", record.none_of_these.kept),
        ("other photos that get a tag", record.none_of_these.let_through),
    ):
        assert share is not None
        limits = f"{100 * share.low:.1f} … {100 * share.high:.1f} %"
        figures = f"{100 * share.value:.1f} % {limits} {share.hits} of {share.of}"
        assert row(text, name).split() == figures.split()
    for words in (
        "Learned from 200 photos of 5 tags (daisy, dandelion, roses, sunflowers, tulips), and 60",
        "Left out, because they cannot be read as pictures: 2 (daisy/cut off.jpg, tulips/empty",
        "in 5 folds, 40 groups of photos (by the first word of the file names).",
        "Network (of 6 compared): efficientnet-lite0, block 10 of 16, 192 features; about 558 kB",
        "by 2.4 points on average (calibration error; temperature 1.30).",
        "More photos of roses, sunflowers would help most.",
        "May have a wrong tag: 10 (daisy/0.jpg seems dandelion, ",
        "Same photo more than once: 3, 1 of them under several tags (daisy/0.jpg = dandelion/copy",
        "Fine-tuning, the last two blocks for 12 epochs, at a learning rate of 0.0001: accepted; ",
        "gain +4.0 points (+0.6 … +7.4), 519 kB → 521 kB, 412.0 s.",
        "Pruning, a fifth of the channels of block 12: not accepted; gain -1.0 points",
        "Warning: daisy has 4 photos",
        "with `toolchain build --model photos.model`.",
    ):
        assert words in text


def test_only_the_weakest_tags_have_a_row(capsys: pytest.CaptureFixture[str]) -> None:
    record = trainings.record([f"tag {number}" for number in range(40)], test=False)
    found = re.findall(r"recall of (tag \d+) ", shown(record, capsys))
    recalls = {each.tag: each.recall.value for each in record.out_of_fold.tags if each.recall}
    assert len(found) == 3
    assert max(recalls[tag] for tag in found) <= min(
        value for tag, value in recalls.items() if tag not in found
    )


def test_what_there_is_not_is_not_mentioned(capsys: pytest.CaptureFixture[str]) -> None:
    record = trainings.record(
        ("cat", "dog"),
        test=False,
        none=False,
        candidates=1,
        suspects=0,
        duplicates=0,
        attempts=False,
    )
    bare = {"none_of_these": None, "more_photos": (), "warnings": ()}
    unbroken = record.photos.model_copy(update={"broken": 0, "broken_photos": ()})
    text = shown(record.model_copy(update={**bare, "photos": unbroken}), capsys)
    for words in (
        "None",
        "none of these",
        "compared",
        "other_day",
        "Left out",
        "May have",
        "more than once",
        "More photos",
        "Warning",
        "tuning",
    ):
        assert words not in text
    assert "accuracy, out of fold" in text


def test_it_fits_into_a_terminal_and_hostile_names_stay_texts(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("toolchain.cli.tables._PLAIN_WIDTH", 80)
    tags = ("x" * 120, "[bold red]cat[/]", "\x1b[31mred\x1b[0m", "\u202eright to left")
    text = shown(trainings.record(tags), capsys, "my model's folder")
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "[bold red]cat[/]" in text
    assert re.search(r"recall of x{21}… +\d+\.\d %   \d+\.\d … \d+\.\d %   +\d+ of \d+", text)
    assert """`toolchain build --model 'my model'"'"'s folder'`""" in text


def test_photos_with_several_tags_are_all_right_or_not(capsys: pytest.CaptureFixture[str]) -> None:
    text = shown(trainings.record(("cat", "dog", "tree"), several=True), capsys)
    assert "all tags right, out of fold" in text
    assert "accuracy," not in text
