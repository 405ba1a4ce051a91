"""What `toolchain cache` prints."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from toolchain.cache.cache_folder import BOUND
from toolchain.cli.tables import new_table, standard_output
from toolchain.units import size

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.inventory import Removal, Survey

_WHAT = {
    "local": "models read from files",
    "embedded": "the embedded model",
    "tfhub": "models from TF Hub",
    "kaggle": "models from Kaggle",
    "hf": "models from Hugging Face",
    "tfjs": "converted models",
    "compressed": "quantised models",
    "tuned": "points of tune",
    "encoded": "files of sites after Brotli and gzip",
}


def print_survey(survey: Survey) -> None:
    """Print the cache's contents, one line per kind."""
    console = standard_output()
    console.print(
        f"{survey.folder} holds {size(survey.bytes)} in {_counted(survey.entries)}, "
        f"of {size(survey.limit)} at most ({BOUND})",
        soft_wrap=True,
    )
    if not survey.kinds:
        return
    table = new_table("what", "entries", "bytes", "oldest use", "latest use", numbers=4)
    for kind in survey.kinds:
        what = _WHAT.get(kind.kind, kind.kind)
        if not kind.readable:
            what += " (other versions')"
        times = (_date(kind.oldest), _date(kind.newest))
        table.add_row(what, f"{kind.entries:,}", size(kind.bytes), *times)
    console.print(table)


def as_json(survey: Survey) -> str:
    """Return the survey as JSON, its times in UTC by ISO 8601."""
    record: dict[str, Any] = asdict(survey)
    record["folder"] = str(survey.folder)
    for kind in record["kinds"]:
        for name in ("oldest", "newest"):
            moment = _moment(kind[name])
            kind[name] = None if moment is None else moment.isoformat(timespec="seconds")
    return json.dumps(record, indent=2)


def print_removal(root: Path, removal: Removal) -> None:
    """Print what was removed from a cache, and what was not."""
    console = standard_output()
    console.print(
        f"Removed {_counted(removal.entries)}, {size(removal.bytes)}, from {root}", soft_wrap=True
    )
    if removal.in_use:
        them = "it" if removal.in_use == 1 else "them"
        console.print(f"{_counted(removal.in_use)} stayed: a running command uses {them}")
    if removal.refused:
        console.print(
            f"{_counted(removal.refused)} could not be removed; check their owner, and that "
            "the disk is writable",
            soft_wrap=True,
        )


def _counted(count: int) -> str:
    return f"{count:,} {'entry' if count == 1 else 'entries'}"


def _date(seconds: float | None) -> str:
    moment = _moment(seconds)
    return "unknown" if moment is None else moment.astimezone().strftime("%Y-%m-%d %H:%M")


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, timezone.utc)
