"""What a build says while it works: on a terminal, and anywhere else."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

terminal = pytest.mark.skipif(not hasattr(os, "openpty"), reason="needs a terminal of POSIX")

# Four steps in 0.8 seconds or more: the bar is drawn ten times a second, and at the end.
WORK = """
import time
from toolchain.cli.console import Terminal
with Terminal({}).track("Judging photos", 400, "{}") as tracker:
    for _ in range(4):
        time.sleep(0.2)
        tracker.advance({})
"""


def said_to_a_terminal(script: str, **variables: str) -> bytes:
    """Run a script whose standard error is a terminal, and return what it said there."""
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"}
    environment |= {"TERM": "xterm-256color", "COLUMNS": "100", **variables}
    ours, theirs = os.openpty()
    with subprocess.Popen([sys.executable, "-c", script], stderr=theirs, env=environment) as run:
        os.close(theirs)
        said = b""
        try:
            while part := os.read(ours, 1000):
                said += part
        except OSError:
            pass  # Linux says so that nobody is left on the other side.
        os.close(ours)
    assert run.returncode == 0
    return said


def piped(script: str) -> str:
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b""
    return done.stderr.decode()


@terminal
@pytest.mark.parametrize(("variables", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_colours_are_for_terminals_that_want_them(
    variables: dict[str, str], *, coloured: bool
) -> None:
    script = "from toolchain.cli.console import Terminal; Terminal().warn('take care')"
    said = said_to_a_terminal(script, **variables)
    assert b"take care" in said
    assert (b"\x1b[33m" in said) == coloured
    assert piped(script) == "warning: take care\n"


@terminal
@pytest.mark.parametrize(
    ("unit", "amount", "rate"),
    [
        ("photos", 100, r" [2-4]00/400 +[\d.]+ photos/s +0:0\d:\d\d"),
        ("bytes", 100, r" [2-4]00/400 bytes +0\.0 MB/s +0:0\d:\d\d"),
    ],
)
def test_a_bar_shows_the_rate_and_what_time_is_left(unit: str, amount: int, rate: str) -> None:
    said = said_to_a_terminal(WORK.format("", unit, amount), NO_COLOR="1").decode()
    plain = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", said)
    assert re.search(f"Judging photos .*{rate}", plain), plain
    # It goes when the work is done.
    assert said.endswith("\x1b[2K")


@pytest.mark.parametrize(
    ("unit", "amount", "line"),
    [
        ("photos", 900, r"3600 photos in \d+\.\d s, \d+\.\d photos/s"),
        ("bytes", 4_000_000, r"16\.0 MB in \d+\.\d s, \d+\.\d MB/s"),
    ],
)
def test_elsewhere_it_is_one_plain_line(unit: str, amount: int, line: str) -> None:
    assert re.fullmatch(f"Judging photos: {line}\n", piped(WORK.format("", unit, amount)))
    assert piped(WORK.format("quiet=True", unit, amount)) == ""


def test_what_takes_longer_than_a_second_each_is_told_the_other_way_round() -> None:
    slow = WORK.replace("0.2", "1.2").replace("range(4)", "range(1)").format("", "layers", 1)
    assert re.search(r": 1 layers in \d+\.\d s, \d+\.\d s/layer$", piped(slow).strip())
