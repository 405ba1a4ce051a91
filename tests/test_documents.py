"""What the documents say is what the code does."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.main import get_command

from tests import cli_reference
from toolchain.cli.app import app
from toolchain.records import build_report, training
from toolchain.report import published
from toolchain.site import component, configuration, contract
from toolchain.tfjs_graph import packing

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("file", "own"),
    [
        ("report.schema.json", build_report.json_schema),
        ("report.networks.schema.json", published.json_schema),
        ("toolchain.schema.json", configuration.json_schema),
        ("contract.schema.json", contract.json_schema),
        ("packing.schema.json", packing.json_schema),
        ("tagger.schema.json", component.json_schema),
        ("training.schema.json", training.json_schema),
    ],
)
def test_the_published_schemas_are_the_codes_own(
    file: str, own: Callable[[], dict[str, Any]]
) -> None:
    written = json.loads((ROOT / "docs" / file).read_text("utf-8"))
    assert written == own(), "run `make docs`"


def test_the_list_of_commands_is_the_applications_own() -> None:
    written = (ROOT / "docs" / "cli.md").read_text("utf-8")
    assert written == cli_reference.text(), "run `make docs`"
    # It is the whole application, and not an empty page.
    for words in (
        "### toolchain build",
        "`-q, --quantize",
        "[default: dist]",
        "#### toolchain report",
    ):
        assert words in written


def test_every_command_is_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    commands = get_command(app).commands  # type: ignore[attr-defined]
    assert commands
    missing = [name for name in commands if f"toolchain {name}" not in readme]
    assert missing == []


def test_every_link_between_the_documents_leads_somewhere() -> None:
    documents = [ROOT / "README.md", ROOT / "web" / "README.md", *(ROOT / "docs").glob("*.md")]
    for document in documents:
        for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text("utf-8")):
            path, _, heading = link.partition("#")
            if "://" in path:
                continue
            target = document.parent / path if path else document
            assert target.exists(), f"{document.name}: {link}"
            if heading:
                headings = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE)
                anchors = {
                    re.sub(r"[^\w -]", "", each).lower().replace(" ", "-") for each in headings
                }
                assert heading in anchors, f"{document.name}: {link}"


def test_every_document_is_linked_from_the_readme() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    missing = [
        path.name for path in (ROOT / "docs").glob("*.md") if f"docs/{path.name}" not in readme
    ]
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
