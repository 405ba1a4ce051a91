"""Prints what `toolchain train` found: short, because the report of a build shows it all."""

from __future__ import annotations

import math
import shlex
from typing import TYPE_CHECKING

from toolchain.cli.tables import new_table, standard_output
from toolchain.text import brief
from toolchain.units import duration, size

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rich.console import Console
    from rich.table import Table

    from toolchain.records.training import Accuracy, Attempt, Candidate, Training
    from toolchain.records.verdict import Share

# How many are named; chosen, not measured.
_TAGS = 5
_WEAKEST = 3
_PHOTOS = 3
_LONGEST = 22  # letters of a tag in the table, which just fits into a terminal of 80 columns
_METHODS = {"fine-tune": "Fine-tuning", "distil": "Distillation", "prune": "Pruning"}


def show(training: Training, out: Path) -> None:
    """Print the summary of a training.

    Args:
        training: Its record.
        out: The folder that the model was written to.
    """
    console = standard_output()

    def say(sentence: str) -> None:
        console.print(sentence, soft_wrap=True)

    for sentence in _of_photos(training):
        say(sentence)
    chosen = next((one for one in training.candidates if one.chosen), None)
    if chosen is not None:
        say(_of_network(training, chosen))
    _print_figures(training, console)
    for sentence in (*_of_calibration(training), *_of_faults(training)):
        say(sentence)
    for attempt in training.attempts:
        say(_of_attempt(attempt))
    for warning in training.warnings:
        console.print(f"Warning: {warning}", soft_wrap=True, style="yellow")
    command = f"toolchain build --model {shlex.quote(str(out))}"
    say(f"The model is in {out}; build its site with `{command}`.")


def _of_photos(training: Training) -> list[str]:
    """Describe the photos and how they were divided."""
    photos, split = training.photos, training.split
    tags = _few([_short(tag) for tag in training.tags], _TAGS)
    said = f"Learned from {photos.photos:,} photos of {len(training.tags)} tags ({tags})"
    found = [f"{said}, and {photos.none:,} of none of these." if photos.none else f"{said}."]
    if photos.broken:
        named = _few(photos.broken_photos, _PHOTOS, of=photos.broken)
        found.append(
            f"Left out, because they cannot be read as pictures: {photos.broken} ({named})"
        )
    is_single = split.groups == photos.photos
    groups = "each photo by itself" if is_single else f"{split.groups:,} groups of photos"
    found.append(f"Cross-validation in {split.folds} folds, {groups} ({split.reason}).")
    return found


def _of_network(training: Training, chosen: Candidate) -> str:
    compared = len(training.candidates)
    return (
        f"Network{f' (of {compared} compared)' if compared > 1 else ''}: {chosen.base}, "
        f"{chosen.depth}, {chosen.width:,} features; about {size(chosen.expected_bytes)} after a "
        "build."
    )


def _print_figures(training: Training, console: Console) -> None:
    """Print the table of shares: accuracy, the weakest tags, "none of these"."""
    table = new_table("", "value", "95 % interval", "photos", numbers=3)
    name = "accuracy" if training.task == "single-label" else "all tags right"
    _add(table, f"{name}, out of fold", training.out_of_fold.accuracy)
    _add_weakest(table, training.out_of_fold)
    if training.test is not None:
        _add(table, f"{name} in {_short(training.test_folder or '--test')}", training.test.accuracy)
        _add_weakest(table, training.test)
    if (none := training.none_of_these) is not None:
        _add(table, "photos of the tags that get one", none.kept)
        if none.let_through is not None:
            _add(table, "other photos that get a tag", none.let_through)
    console.print(table)


def _add_weakest(table: Table, accuracy: Accuracy) -> None:
    """Add the recall of the tags for which it is lowest, where it is not perfect."""
    recalls = [(each.recall, each.tag) for each in accuracy.tags if each.recall is not None]
    recalls.sort(key=lambda each: each[0].value)
    for recall, tag in recalls[:_WEAKEST]:
        if recall.hits < recall.of:
            _add(table, f"  recall of {_short(tag)}", recall)


def _add(table: Table, name: str, share: Share) -> None:
    limits = f"{100 * share.low:.1f} … {100 * share.high:.1f} %"
    table.add_row(name, f"{100 * share.value:.1f} %", limits, f"{share.hits:,} of {share.of:,}")


def _of_calibration(training: Training) -> list[str]:
    said = (
        "Scores differ from the shares that are right by "
        f"{training.out_of_fold.calibration_error:.1f} points on average (calibration error; "
        f"temperature {training.temperature:.2f})."
    )
    if not training.more_photos:
        return [said]
    tags = _few([_short(tag) for tag in training.more_photos], _TAGS)
    return [said, f"More photos of {tags} would help most."]


def _of_faults(training: Training) -> list[str]:
    """Name photos that may have a wrong tag, and duplicates."""
    found = []
    if suspects := training.suspects:
        named = [f"{each.photo} seems {_short(each.seems)}" for each in suspects]
        found.append(f"May have a wrong tag: {len(suspects):,} ({_few(named, _PHOTOS)})")
    if duplicates := sorted(training.duplicates, key=lambda each: len(each.tags) == 1):
        several = sum(len(each.tags) > 1 for each in duplicates)
        named = [" = ".join(each.photos[:2]) for each in duplicates]
        under = f", {several:,} of them under several tags" if several else ""
        found.append(
            f"Same photo more than once: {len(duplicates):,}{under} ({_few(named, _PHOTOS)})"
        )
    return found


def _of_attempt(attempt: Attempt) -> str:
    accepted = "accepted" if attempt.accepted else "not accepted"
    return (
        f"{_METHODS[attempt.method]}, {attempt.detail}: {accepted}; gain "
        f"{attempt.gain_points:+.1f} points ({attempt.gain_low:+.1f} … {attempt.gain_high:+.1f}), "
        f"{size(attempt.bytes_before)} → {size(attempt.bytes_after)}, "
        f"{duration(1000 * attempt.seconds)}. {attempt.reason}"
    )


def _few(words: Sequence[str], most: int, *, of: float = math.nan) -> str:
    """Join the first few of some words; `of` is how many there are if some are not known."""
    more = len(words) > most or of > len(words)
    return ", ".join(words[:most]) + (", …" if more else "")


def _short(name: str) -> str:
    return brief(name, _LONGEST)
