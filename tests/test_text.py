"""Text of files in messages."""

from __future__ import annotations

import pytest

from toolchain import text


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("conv_1", "conv_1"),
        ("Blüte 花", "Blüte 花"),
        ("a\x1b[2Jb\nc", r"a\x1b[2Jb\nc"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("x" * 80, "x" * 80),
        ("x" * 81, "x" * 79 + "…"),
        ("\n" * 50, r"\n" * 39 + "\\…"),
    ],
)
def test_names_of_files_are_one_short_line(given: str, shown: str) -> None:
    assert text.brief(given) == shown
    assert len(text.brief(given, 9)) <= 9
