"""What a public host reads of this repository agrees with the Makefile and the package.

That is the CI workflow, the issue forms, the pull request template and the guides.
"""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from toolchain import toml

ROOT = Path(__file__).parents[1]
HOST = ROOT / ".github"
FORMS = sorted(path for path in (HOST / "ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
PROJECT = toml.read(ROOT / "pyproject.toml")["project"]
PYTHONS = [
    f"3.{minor}"
    for minor in range(30)
    if SpecifierSet(PROJECT["requires-python"]).contains(f"3.{minor}")
]
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
INPUTS = {"textarea", "input", "dropdown", "checkboxes"}


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


@pytest.fixture(scope="module")
def workflow() -> Any:
    found = read(HOST / "workflows" / "ci.yml")
    found["on"] = found.pop(True)  # which is what YAML makes of the word
    return found


def steps(workflow: Any, job: str) -> list[Any]:
    return list(workflow["jobs"][job]["steps"])


def commands(workflow: Any) -> list[str]:
    """Return what the workflow runs, with the values of a job's matrix put in."""
    found = []
    for job in workflow["jobs"].values():
        matrix = job.get("strategy", {}).get("matrix", {})
        for step in job["steps"]:
            if "run" in step:
                targets = matrix.get("target", [""])
                found += [step["run"].replace("${{ matrix.target }}", word) for word in targets]
    return found


def test_every_command_of_ci_is_a_make_target(workflow: Any) -> None:
    words = [command.split() for command in commands(workflow)]
    assert {word[0] for word in words} == {"make"}
    called = {word[1] for word in words}
    assert called <= TARGETS
    assert {"check", "test", "coverage", "wheel", "test-wheel", "test-minimum"} == called
    # Whatever the version is, it is the one that the step before has set up.
    assert all(word[2:] == ["PYTHON=python"] for word in words)


def test_the_wheel_is_tested_on_every_python_and_system(workflow: Any) -> None:
    job = workflow["jobs"]["test-wheel"]
    assert job["strategy"]["matrix"] == {"os": ["ubuntu-latest", "macos-latest"], "python": PYTHONS}
    assert job["runs-on"] == "${{ matrix.os }}"
    (setup,) = (each for each in job["steps"] if "setup-python" in each.get("uses", ""))
    assert setup["with"]["python-version"] == "${{ matrix.python }}"


def test_minimum_versions_are_tested_on_the_oldest_python(workflow: Any) -> None:
    (setup,) = (
        each for each in steps(workflow, "test-minimum") if "setup-python" in each.get("uses", "")
    )
    assert setup["with"]["python-version"] == PYTHONS[0]
    others = re.findall(r'python-version: "([\d.]+)"', (HOST / "workflows/ci.yml").read_text())
    assert set(others) <= set(PYTHONS)


def test_the_wheel_that_is_tested_is_the_one_that_was_built(workflow: Any) -> None:
    (upload,) = (each for each in steps(workflow, "wheel") if "upload" in each.get("uses", ""))
    for job in "test-wheel", "test-minimum":
        assert workflow["jobs"][job]["needs"] == "wheel"
        names = [each.get("uses", "") for each in steps(workflow, job)]
        (download,) = (each for each in steps(workflow, job) if "download" in each.get("uses", ""))
        assert download["with"] == {key: upload["with"][key] for key in ("name", "path")}
        # A checkout empties the folder, so the wheel comes after it.
        assert names.index(download["uses"]) > names.index("actions/checkout@v4")
    assert upload["with"]["path"] == "build/"


def test_ci_can_only_read_and_names_no_other_host(workflow: Any) -> None:
    assert workflow["permissions"] == {"contents": "read"}
    assert set(workflow["on"]) == {"push", "pull_request"}
    text = (HOST / "workflows" / "ci.yml").read_text("utf-8")
    assert "://" not in text
    assert not re.search(r"\b[\w-]+\.(com|dev|io|net|org)\b", text)
    assert "secrets" not in text
    used = {
        each["uses"] for job in workflow["jobs"] for each in steps(workflow, job) if "uses" in each
    }
    assert used
    for action in used:
        assert re.fullmatch(r"actions/[a-z-]+@v\d+", action), action


@pytest.mark.parametrize("target", ["wheel", "test-wheel", "test-minimum", "release"])
def test_make_can_expand_what_ci_calls(target: str) -> None:
    result = subprocess.run(
        ["make", "--dry-run", "PYTHON=python", "WHEEL=build/a.whl", target],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    if target.startswith("test-"):
        assert "build/a.whl" in result.stdout
        # The package of the checkout is not in the folder that the tests run in.
        assert "git ls-files -z ':!toolchain'" in result.stdout
        named = re.findall(r"tests/test_\w+\.py", result.stdout)
        assert named
        assert [name for name in named if not (ROOT / name).is_file()] == []


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.name)
def test_an_issue_form_has_what_its_schema_requires(path: Path) -> None:
    form = read(path)
    assert set(form) <= {"name", "description", "title", "labels", "assignees", "body", "type"}
    assert form["name"]
    assert form["description"]
    ids = [each["id"] for each in form["body"] if each["type"] != "markdown"]
    assert ids
    assert len(set(ids)) == len(ids)
    for each in form["body"]:
        assert set(each) <= {"type", "id", "attributes", "validations"}
        attributes = each["attributes"]
        if each["type"] == "markdown":
            assert set(attributes) == {"value"}
            continue
        assert each["type"] in INPUTS
        assert re.fullmatch(r"[A-Za-z0-9_-]+", each["id"])
        assert attributes["label"]
        assert set(each["validations"]) == {"required"}
        assert isinstance(each["validations"]["required"], bool)
        if each["type"] == "dropdown":
            assert len(set(attributes["options"])) == len(attributes["options"]) > 1
    # A report that says nothing cannot be sent.
    assert any(each.get("validations", {}).get("required") for each in form["body"])


def test_there_are_forms_and_their_configuration_is_valid() -> None:
    assert {path.name for path in FORMS} == {"bug.yml", "idea.yml"}
    config = read(HOST / "ISSUE_TEMPLATE" / "config.yml")
    assert set(config) <= {"blank_issues_enabled", "contact_links"}
    assert isinstance(config["blank_issues_enabled"], bool)


GUIDES = ("CONTRIBUTING.md", "SECURITY.md", ".github/PULL_REQUEST_TEMPLATE.md")


@pytest.mark.parametrize("name", GUIDES)
def test_what_a_guide_names_is_there(name: str) -> None:
    text = (ROOT / name).read_text("utf-8")
    for path in re.findall(r"`(?:\.venv/bin/pytest )?([\w./-]+/[\w.-]*)`", text):
        assert (ROOT / path).exists() or path.startswith("build/release"), path
    for link in re.findall(r"\]\(([^)\s#]+)", text):
        assert (ROOT / link).exists(), link
    named = set(re.findall(r"(?:`|^)make ([a-z-]+)", text, re.MULTILINE))
    assert named <= TARGETS
    # The constants and functions that it names are in one of the files that it names.
    sources = " ".join(
        (ROOT / path).read_text("utf-8") for path in re.findall(r"`([\w./-]+\.(?:py|ts))`", text)
    )
    for symbol in re.findall(r"`([A-Z][A-Z_]+|[a-z]+_[a-z_]+)`", text):
        assert re.search(rf"\b{symbol}\b", sources), symbol


def test_the_guide_names_every_python_that_is_supported() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    assert f"Python {PYTHONS[0]}–{PYTHONS[-1]}" in text
