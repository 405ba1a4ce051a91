"""What the documents say is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path

from typer.main import get_command

from toolchain.cli.app import app
from toolchain.report import published, schema

ROOT = Path(__file__).parents[1]


def test_the_published_schemas_are_the_reports_own() -> None:
    for name, own in (("report", schema), ("report.networks", published)):
        written = json.loads((ROOT / "docs" / f"{name}.schema.json").read_text("utf-8"))
        assert written == own.json_schema(), "run `make docs`"


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert commands
    missing = [name for name in commands if f"toolchain {name}" not in readme]
    assert missing == []


def test_every_make_target_of_the_readme_exists() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = set(re.findall(r"(?:`|\$ )make ([a-z-]+)", readme))
    assert {"build-web", "test"} <= targets
    defined = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    missing = targets - defined
    assert missing == set()


def test_ci_runs_the_readmes_test_command() -> None:
    script = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert script[-1] == "make test"
    assert "make test" in (ROOT / "README.md").read_text("utf-8")
