"""`toolchain doctor` asks the package itself what it needs, so it cannot fall behind it."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from packaging.requirements import Requirement

from toolchain import toml
from toolchain.pipeline import doctor

if TYPE_CHECKING:
    from collections.abc import Callable

CHECKOUT = Path(__file__).parents[1]
Examined = dict[str, doctor.Finding]


@pytest.fixture
def packages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str], str], Examined]:
    """Return what is found where an installed toolchain says that it needs these."""

    def examined(requirements: list[str], python: str = ">=3.10") -> Examined:
        folder = tmp_path / "toolchain-9.dist-info"
        folder.mkdir()
        lines = ["Metadata-Version: 2.1", "Name: toolchain", "Version: 9"]
        lines += [f"Requires-Python: {python}"]
        lines += [f"Requires-Dist: {requirement}" for requirement in requirements]
        (folder / "METADATA").write_text("\n".join(lines) + "\n", "utf-8")
        monkeypatch.syspath_prepend(str(tmp_path))
        return {finding.subject: finding for finding in doctor._packages()}

    return examined


def test_everything_that_is_held_to_a_version_is_looked_at(
    packages: Callable[[list[str], str], Examined],
) -> None:
    project = toml.read(CHECKOUT / "pyproject.toml")["project"]
    found = packages(project["dependencies"], project["requires-python"])
    held = [Requirement(each) for each in project["dependencies"] if re.search("==|<[^']", each)]
    assert {each.name for each in held if each.marker is None} <= set(found)
    assert {"tensorflow", "tensorflowjs", "tf-keras", "tensorflow-hub"} <= set(found)
    assert [finding for finding in found.values() if not finding.good] == []


@pytest.mark.parametrize(
    ("requirement", "found", "mend"),
    [
        ("numpy<1", None, "pip install 'numpy<1'"),
        ("numpy>=99", None, "pip install 'numpy>=99'"),
        (
            "no-such-package-at-all==2.19.0",
            "missing",
            "pip install 'no-such-package-at-all==2.19.0'",
        ),
        ("whitenoise[brotli]>=99", None, "pip install 'whitenoise>=99'"),
    ],
)
def test_what_is_not_as_it_is_needed_is_told_with_the_way_out(
    packages: Callable[[list[str], str], Examined], requirement: str, found: str | None, mend: str
) -> None:
    finding = packages([requirement, "pillow>=1"], ">=3.10")[Requirement(requirement).name]
    assert not finding.good
    assert finding.needed
    assert finding.mend == mend
    assert found is None or finding.found == found


def test_extras_and_other_systems_are_not_missed(
    packages: Callable[[list[str], str], Examined],
) -> None:
    found = packages(
        ["none-such>=1; extra == 's3'", "none-like-it==1; python_version < '3'", "pillow>=1"],
        ">=3.10",
    )
    assert set(found) == {"Python", "other packages"}
    assert found["other packages"].found.startswith("1 ")


def test_the_converter_is_asked_for_where_the_metadata_does_not_and_without_what_it_declares(
    packages: Callable[[list[str], str], Examined],
) -> None:
    finding = packages(["tensorflowjs==99; python_version < '3'"], ">=3.10")["tensorflowjs"]
    assert not finding.good
    assert finding.mend == "pip install --no-deps 'tensorflowjs==99'"


def test_another_python_is_told(packages: Callable[[list[str], str], Examined]) -> None:
    finding = packages([], ">=99")["Python"]
    assert not finding.good
    assert ">=99" in finding.mend


def test_a_checkout_that_was_not_installed_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [str(CHECKOUT / "toolchain")])
    (finding,) = doctor._packages()
    assert (finding.subject, finding.good) == ("toolchain", False)
    assert "make" in finding.mend


@pytest.mark.parametrize(
    ("answer", "good"), [("v20.18.9", False), ("v20.19.0", True), ("v24.1.0", True), ("no", False)]
)
def test_node_is_held_against_what_builds_the_page(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: str, good: bool
) -> None:
    node = tmp_path / "node"
    node.write_text(f"#!/bin/sh\necho {answer}\n", "utf-8")
    node.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    finding = doctor._node()
    assert finding.good is good
    assert ">=20.19" in finding.mend
