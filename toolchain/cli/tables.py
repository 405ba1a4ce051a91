"""Prints the results of commands on standard output."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich import box
from rich.table import Table

from toolchain.cli.console import PlainConsole
from toolchain.units import size

if TYPE_CHECKING:
    from pathlib import Path

    from rich.console import Console

    from toolchain.pipeline.build_options import Weights
    from toolchain.pipeline.doctor import Finding
    from toolchain.pipeline.inspection import Inspection
    from toolchain.progress import Progress
    from toolchain.records.build_report import Preview, Report, Variant
    from toolchain.records.card import ModelCard
    from toolchain.records.evaluation import Evaluation, NoneVerdict
    from toolchain.records.multi_label import MultiLabel
    from toolchain.records.site_files import FileSize
    from toolchain.records.verdict import Drop, Share

_PLAIN_WIDTH = 120  # columns, if the output is not a terminal


def standard_output() -> Console:
    """Return the console for standard output."""
    console = PlainConsole(highlight=False, markup=False, soft_wrap=False)
    if not console.is_terminal:
        console.width = _PLAIN_WIDTH
    return console


def new_table(*columns: str, numbers: int) -> Table:
    """Make a table whose last `numbers` columns are aligned to the right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, column in enumerate(columns):
        flush_right = index >= len(columns) - numbers
        table.add_column(column, justify="right" if flush_right else "left", no_wrap=True)
    return table


def warn_of_quantization(weights: Weights, progress: Progress) -> None:
    """Warn of the accuracy that `uint8` costs, before the build."""
    from toolchain.tfjs.convert import UINT8_WARNING

    if weights.name == "uint8":
        progress.warn(UINT8_WARNING)


def print_report(report: Report, out: Path) -> None:
    """Print the model and its source, the stages' times, the bytes, and the next step."""
    console = standard_output()
    provenance = report.card.provenance
    console.print(f"{provenance.name} from {provenance.source}, {provenance.licence}")
    console.print(f"sha256 {provenance.sha256}")
    if report.notice:
        console.print(report.notice)
    if report.preview:
        small = report.preview.card.provenance
        console.print(f"preview {small.name} from {small.source}, {small.licence}")
    stages = [
        f"{stage.name} {stage.seconds:.2f}{' (cached)' if stage.reused else ''}"
        for stage in report.stages
    ]
    seconds = sum(stage.seconds for stage in report.stages)
    console.print(f"{seconds:.2f} seconds: {', '.join(stages)}")
    sizes = new_table("part", "files", "raw", "gzip", "brotli", numbers=4)
    for kind, total in report.totals.items():
        if count := sum(file.kind == kind for file in report.files):
            sizes.add_row(kind, str(count), *_columns(total))
    sizes.add_section()
    everything = report.totals.values()
    sizes.add_row(
        "total",
        str(len(report.files)),
        size(sum(total.raw for total in everything)),
        size(sum(total.gzip for total in everything)),
        size(sum(total.brotli for total in everything)),
    )
    console.print(sizes)
    _print_plan(report, console)
    for variant in report.variants:
        _print_variant(variant, console)
    if report.preview:
        _print_plan(report.preview, console, "The preview's weights")
    console.print(f"The site is in {out}; look at it with `toolchain serve {out}`.")


def _print_plan(report: Report | Preview, console: Console, what: str = "Weights") -> None:
    """Print what quantisation did to a model's bytes and tags."""
    plan, verdict = report.plan, report.verdict
    if plan is None:
        return
    console.print(
        f"{what}: recipe {plan.recipe}, {plan.bits:.2f} bits each, rounded by {plan.calibration}."
    )
    if verdict is None:
        console.print("Accuracy: not judged; give photos with --calibration or --evaluation.")
        return
    facts = []
    if verdict.expected_drop is not None:
        expected = verdict.expected_drop
        facts.append(
            f"expected drop of top-1 {expected.points:.1f} points "
            f"({expected.low:.1f} … {expected.high:.1f})"
        )
    if verdict.score_change is not None:
        change = verdict.score_change
        facts.append(
            f"change of scores {change.points:.1f} points ({change.low:.1f} … {change.high:.1f})"
        )
    if verdict.top1 is not None:
        facts.append(f"top-1 {verdict.top1.value:.1%}")
    if verdict.drop is not None:
        drop = verdict.drop
        facts.append(f"counted drop {drop.points:.1f} points ({drop.low:.1f} … {drop.high:.1f})")
    if verdict.agreement is not None:
        share = verdict.agreement
        facts.append(f"same first label {share.value:.1%} ({share.low:.1%} … {share.high:.1%})")
    console.print(f"Accuracy on {plan.judged}: {', '.join(facts)}.")


def _print_variant(variant: Variant, console: Console) -> None:
    """Print a variant's bytes and drop."""
    from toolchain.report import accuracy

    said = f"Variant {variant.name}: {size(variant.bytes)} after Brotli"
    if variant.plan is not None:
        said += f", {variant.plan.bits:.2f} bits each"
    if variant.verdict is not None:
        said += f", {accuracy.words(variant.verdict)}"
    console.print(f"{said}.", soft_wrap=True)


def _columns(total: FileSize) -> tuple[str, str, str]:
    return size(total.raw), size(total.gzip), size(total.brotli)


def print_catalogue() -> None:
    """Print the catalogue, and VGG16 beside it."""
    from toolchain.sources.catalogue import APPLICATIONS, DEFAULT, EMBEDDED, ENTRIES, VGG16

    table = new_table(
        "name", "input", "values", "offset", "M params", "M madds", "float32", "top-1 %", numbers=6
    )
    entries = (*ENTRIES.values(), *APPLICATIONS.values(), VGG16)
    for entry in entries:
        if entry is VGG16:
            table.add_section()
        low, high = entry.value_range
        table.add_row(
            entry.name,
            f"{entry.size}×{entry.size}",
            f"{low:.3g}…{high:.3g}",
            str(entry.label_offset),
            f"{entry.parameters:.2f}",
            "" if entry.multiply_adds is None else f"{entry.multiply_adds:,.0f}",
            size(entry.float32_bytes),
            f"{entry.top1:.1f}",
        )
    console = standard_output()
    console.print(table)
    console.print(
        f"The default is {DEFAULT}; {EMBEDDED} is embedded and needs no network. vgg16 is not for\n"
        "building: it shows why this is a catalogue of MobileNets. Figures as published:"
    )
    for source in dict.fromkeys(entry.published for entry in entries):
        names = [entry.name for entry in entries if entry.published == source]
        shown = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}"
        console.print(f"  {shown}: {source}")
    console.print("Handles:")
    for entry in ENTRIES.values():
        if handles := entry.handles:
            console.print(f"  {entry.name}: {' | '.join(handles)}", soft_wrap=True)
    console.print("keras: takes every other classifier of keras.applications too.")


def _pixels(card: ModelCard) -> str:
    """Describe the model's pixel values, and how they are known."""
    if card.range_source == "unknown":
        return "unknown; give them with --value-range"
    spec = card.input
    low, high = spec.value_range
    parts = [f"{low:g}…{high:g}"]
    if any(spec.mean):
        parts.append(f"less {', '.join(f'{each:g}' for each in spec.mean)}")
    if any(each != 1 for each in spec.std):
        parts.append(f"by {', '.join(f'{each:g}' for each in spec.std)}")
    if spec.channels == "bgr":
        parts.append("as BGR")
    known = {"declared": "declared", "graph": "read from the graph", "guessed": "guessed"}
    reason = f": {card.range_reason}" if card.range_source != "declared" else ""
    return f"{' '.join(parts)} ({known[card.range_source]}{reason})"


def print_inspection(found: Inspection) -> None:
    """Print the figures of a model."""
    console = standard_output()
    provenance = found.card.provenance
    spec = found.card.input
    rows = {
        "model": provenance.name,
        "form": found.form,
        "source": provenance.source,
        "licence": provenance.licence,
        "sha256": provenance.sha256,
        "input": f"float32 [1, {spec.height}, {spec.width}, 3]",
        "pixels": _pixels(found.card),
        "output": f"{found.card.classes} classes, labels from {found.card.label_offset}, "
        f"{found.card.task}",
        "parameters": f"{found.parameters:,}",
        "multiply-adds": f"{found.multiply_adds:,}",
        "file size": f"{found.file_bytes:,} bytes",
        "in memory": f"{found.memory_bytes:,} bytes of weights",
        "dtypes": ", ".join(f"{name} × {count}" for name, count in found.dtypes.items()),
        "ops": ", ".join(f"{name} × {count}" for name, count in found.ops.items()),
    }
    if (rule := found.card.none_of_these) is not None:
        rows["none of these"] = (
            f"below a cosine of {rule.threshold:.3f} to {rule.labels} centres of "
            f"{len(rule.indices)} features"
        )
    if (small := found.preview) is not None:
        rows["preview"] = (
            f"{small.card.provenance.name}, {small.parameters:,} parameters, "
            f"{small.file_bytes:,} bytes"
        )
    for key, value in rows.items():
        console.print(f"{key:<14}{value}", soft_wrap=True)


def print_evaluation(found: Evaluation) -> None:
    """Print the figures with their 95 % intervals, and which photos were left out."""
    console = standard_output()
    verdict = found.verdict
    console.print(f"{found.model.name} ({found.model.form})", soft_wrap=True)
    if found.reference:
        console.print(f"against {found.reference.name} ({found.reference.form})", soft_wrap=True)
    table = new_table("", "value", "95 % interval", "photos", numbers=3)
    for name, judged in (
        ("top-1", verdict.top1),
        ("top-5", verdict.top5),
        ("top-1 of the reference", verdict.reference_top1),
        ("drop of top-1", verdict.drop),
        ("same first label", verdict.agreement),
    ):
        if judged:
            table.add_row(name, *_judged(judged))
    if found.multi_label is not None:
        _add_multi_label(table, found.multi_label)
    if (expected := verdict.expected_drop) is not None:
        limits = f"{expected.low:+.1f} … {expected.high:+.1f} points"
        row = "expected drop of top-1"
        table.add_row(row, f"{expected.points:+.1f} points", limits, str(verdict.photos))
    if (change := verdict.score_change) is not None:
        limits = f"{change.low:+.1f} … {change.high:+.1f} points"
        points = f"{change.points:+.1f} points"
        table.add_row("change of all scores", points, limits, str(verdict.photos))
    if verdict.score_shift is not None:
        table.add_row("score shift", f"{verdict.score_shift:.4f}", "", str(verdict.photos))
    if found.none_of_these is not None:
        _add_none(table, found.none_of_these)
    console.print(table)
    _print_left_out(found, console)
    if found.note:
        console.print(f"{found.note[0].upper()}{found.note[1:]}.", soft_wrap=True)


def _print_left_out(found: Evaluation, console: Console) -> None:
    """Print how many photos cannot be read, and the first few."""
    none = found.none_of_these
    if none is not None and none.foreign_broken:
        console.print(
            f"Left out of {none.foreign_folder}, because they cannot be read as pictures: "
            f"{none.foreign_broken}",
            soft_wrap=True,
        )
    if found.broken:
        more = ", …" if found.broken > len(found.broken_photos) else ""
        named = ", ".join(found.broken_photos) + more
        console.print(
            f"Left out, because they cannot be read as pictures: {found.broken} ({named})",
            soft_wrap=True,
        )


def _add_multi_label(table: Table, found: MultiLabel) -> None:
    """Add the rows for a multi-label model."""
    photos = str(found.photos)
    for name, figure in (
        (f"mAP of {found.labels} labels", found.mean_average_precision),
        (f"F1 from {found.threshold:g} on, micro", found.f1_micro),
        (f"F1 from {found.threshold:g} on, macro", found.f1_macro),
    ):
        limits = f"{100 * figure.low:.1f} … {100 * figure.high:.1f} %"
        table.add_row(name, f"{100 * figure.value:.1f} %", limits, photos)
        if (drop := figure.drop) is not None:
            limits = f"{drop.low:+.1f} … {drop.high:+.1f} points"
            table.add_row("  drop against the reference", f"{drop.points:+.1f} points", limits, "")


def _add_none(table: Table, found: NoneVerdict) -> None:
    """Add the rows for a model with the rule "none of these"."""
    name = "“none of these”: photos with a label that keep their tags"
    if found.kept is not None:
        table.add_row(name, *_judged(found.kept))
    else:
        table.add_row("“none of these”: photos called so", *_judged(found.called_none))
    if found.let_through is not None:
        name = "“none of these”: foreign photos that get a tag"
        table.add_row(name, *_judged(found.let_through))


def _judged(judged: Share | Drop) -> tuple[str, str, str]:
    """Return value, interval and photos of one row."""
    from toolchain.records.verdict import Share

    if isinstance(judged, Share):
        limits = f"{100 * judged.low:.1f} … {100 * judged.high:.1f} %"
        return f"{100 * judged.value:.1f} %", limits, f"{judged.hits} of {judged.of}"
    limits = f"{judged.low:+.1f} … {judged.high:+.1f} points"
    return f"{judged.points:+.1f} points", limits, f"-{judged.lost} +{judged.won}"


def print_finding(finding: Finding) -> None:
    """Print one finding of `toolchain doctor`, and how to fix it."""
    console = standard_output()
    mark = "ok " if finding.good else "BAD" if finding.needed else "-- "
    console.print(f"{mark} {finding.subject}: {finding.found}", soft_wrap=True)
    if not finding.good and finding.mend:
        console.print(f"    {finding.mend}", soft_wrap=True)
