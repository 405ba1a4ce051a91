"""`toolchain tune`: the Pareto front of bytes and drop, one plan for each level of bits.

Each point is one task for an executor, and is cached as soon as it is computed. So an
interrupted run continues where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from toolchain import digest
from toolchain.cache.store import Store
from toolchain.errors import BadInputError, ToolchainError
from toolchain.executors import as_they_come, executor_for, use_one_thread
from toolchain.pipeline import pixel_values
from toolchain.progress import SILENT, Progress
from toolchain.quantize import planning, points
from toolchain.quantize.points import Basis, Task, choice, compute, pareto
from toolchain.quantize.selection import select
from toolchain.records import build_report
from toolchain.records.card import Declared
from toolchain.records.pareto import ParetoFront, Point
from toolchain.report import report_files
from toolchain.sources import resolve
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolchain.quantize.settings import QuantizeSettings
    from toolchain.sources.request import Request
    from toolchain.tfjs.convert import Quantization
    from toolchain.tfjs.stage import TfjsModel

# The converter's own forms of the same network, to compare with, and their bits a weight.
_CONVERTED: dict[Quantization, float] = {"float16": 16.0, "uint8": 8.0}
_PROCESSES = 1  # on this machine: each takes nearly 4 GB for MobileNetV2
_DIGITS = 4  # decimals of bits a weight


@dataclass(frozen=True)
class TuneOptions:
    """Which points to compute, and where."""

    request: Request
    settings: QuantizeSettings
    """Photos, form and limits; the recipe is `auto`."""
    bits: tuple[float, ...]
    """The levels, from :func:`levels`."""
    declared: Declared = field(default_factory=Declared)
    """What the user says of the model."""
    workers: int | None = None
    """Processes on this machine; None for one, because each takes gigabytes."""
    engine: str | None = None
    """Address of a Dask scheduler that does the work."""
    site: Path | None = None
    """A built site of the same model, to whose report the front is added."""


def levels(first: float, last: float, count: int) -> tuple[float, ...]:
    """Return `count` levels of bits a weight, evenly spaced from `first` to `last`.

    Raises:
        BadInputError: `last` is not above `first`.
    """
    if count == 1:
        return (first,)
    if last <= first:
        raise BadInputError(
            f"--to-bits {last:g} is not above --from-bits {first:g}; give a range of bits, "
            "or --points 1"
        )
    return tuple(round(float(bits), _DIGITS) for bits in np.linspace(first, last, count))


def tune(
    options: TuneOptions, *, store: Store | None = None, progress: Progress = SILENT
) -> ParetoFront:
    """Compute the Pareto front of one model, and write it into the report of a site.

    The result does not depend on where, or by how many workers, it was computed, nor on how much
    of it was in the cache.

    Args:
        options: The model, the photos and the levels.
        store: The cache; None for the user's.
        progress: Advances with each point.

    Raises:
        BadInputError: The photos, the model or the site cannot be used.
        ToolchainError: The model cannot be fetched, or the workers failed.
    """
    use_one_thread()
    before = None if options.site is None else build_report.read(options.site)
    blind = select(options.settings).is_blind
    # Workers may run in another folder, so they need absolute paths.
    settings = _with_whole_paths(options.settings)
    store = store or Store.default()
    store = Store(store.root.resolve(), store.limit)
    if blind:
        progress.warn(planning.BLIND)
    fetched = resolve.fetch(options.request, store=store, progress=progress)
    fetched = replace(fetched, declared=options.declared.over(fetched.declared))

    def converted(quantization: Quantization) -> TfjsModel:
        return pixel_values.convert(
            fetched,
            Stored(quantization, settings.shard_bytes),
            settings.evaluation,
            store=store,
            progress=progress,
        )

    source = converted("none")
    provenance = source.converted.card.provenance
    if options.site is not None and before is not None:
        report_files.require_same_model(options.site, before, provenance)
    for assumption in source.converted.assumptions:
        progress.warn(assumption)
    basis = Basis(digest.of_json(planning.basis(source, settings)), source, settings)
    plans = [Task(basis, settings.form, bits) for bits in sorted(set(options.bits))]
    others = [Task(basis, kind, bits, converted(kind)) for kind, bits in _CONVERTED.items()]
    computed = _compute([*plans, *others], options, store, progress)
    found = tuple(computed[task] for task in plans)
    front = ParetoFront(
        name=provenance.name,
        source=provenance.source,
        sha256=provenance.sha256,
        blind=blind,
        max_drop=settings.max_drop,
        max_bytes=settings.max_bytes,
        points=found,
        converted=tuple(computed[task] for task in others),
        pareto=pareto(found),
        chosen=choice(found, max_drop=settings.max_drop, max_bytes=settings.max_bytes),
    )
    if options.site is not None and before is not None:
        try:
            report_files.keep_front(options.site, before, front)
        except ToolchainError as error:
            progress.warn(str(error))
    return front


def _with_whole_paths(options: QuantizeSettings) -> QuantizeSettings:
    """Return the settings with absolute paths."""
    calibration, evaluation = options.calibration, options.evaluation
    return replace(
        options,
        calibration=None if calibration is None else calibration.resolve(),
        evaluation=None if evaluation is None else evaluation.resolve(),
    )


def _compute(
    tasks: Sequence[Task], options: TuneOptions, store: Store, progress: Progress
) -> dict[Task, Point]:
    """Take points from the cache and compute the rest, caching each one at once."""
    found = {task: point for task in tasks if (point := points.kept(task, store)) is not None}
    if found:
        progress.say(f"{len(found)} of {len(tasks)} points were cached by an earlier run")
    missing = [task for task in tasks if task not in found]
    if not missing:
        return found
    with (
        executor_for(_PROCESSES, workers=options.workers, engine=options.engine) as executor,
        progress.track("Computing points", len(missing), "points") as tracker,
    ):
        for task, point in as_they_come(executor, compute, missing):
            points.keep(task, point, store)
            found[task] = point
            tracker.advance(1)
            progress.say(
                f"{point.weights}, {point.bits:.2f} bits a weight: {point.bytes / 1e6:.3f} MB "
                f"after Brotli, drop {point.drop:.2f} points"
            )
    return found
