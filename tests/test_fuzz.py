"""Readers of what others have written: damaged content is refused in a sentence, at once.

A few examples of each here, the same in every run; `python -m tests.fuzz` looks for long, and
what it found is among these tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings

from tests.fuzz import trial
from tests.fuzz.reader import Reader
from tests.fuzz.readers import READERS

CASES = sorted(path for path in (Path(__file__).parent / "fuzz" / "cases").glob("*/*"))
EXAMPLES = 150  # of each reader; one takes a millisecond or two


@pytest.mark.parametrize(
    "parts",
    # The functions themselves, so that `tests/light.py` sees what they import.
    [pytest.param((each.contents, each.read), id=name) for name, each in READERS.items()],
)
def test_damaged_content_is_read_or_refused(parts: tuple[Any, Any]) -> None:
    reader = Reader(*parts)
    tried = 0

    @settings(trial.RULES, max_examples=EXAMPLES, derandomize=True)
    @given(reader.contents())
    def look(content: bytes) -> None:
        nonlocal tried
        tried += 1
        trial.once(reader, content)

    look()
    assert tried >= EXAMPLES


@pytest.mark.parametrize("path", CASES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_what_was_found_once_is_read_or_refused(path: Path) -> None:
    trial.once(READERS[path.parent.name], path.read_bytes())
    assert path.stat().st_size < 20_000
