"""The Dockerfile and the development container, as far as a test can tell that builds no image."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
STAGES = re.findall(r"^FROM (\S+)(?: AS (\w+))?$", DOCKERFILE, re.MULTILINE)
COPIES = [line.split()[1:] for line in re.findall(r"^COPY .*$", DOCKERFILE, re.MULTILINE)]


def ignored(path: str) -> bool:
    """Tell whether the build gets this path; of the rules the last one that fits counts."""
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    left_out = False
    for rule in rules:
        fits = rule.removeprefix("!").removeprefix("/")
        if fits in ("*", path) or path.startswith(f"{fits}/"):
            left_out = not rule.startswith("!")
    return left_out


def test_every_stage_has_the_python_that_make_looks_for_first() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    first = re.search(r"^PYTHON \?= .*?\bpython(3\.\d+)", makefile, re.MULTILINE)
    assert first
    assert re.findall(r"^ARG PYTHON=(.*)$", DOCKERFILE, re.MULTILINE) == [first[1]]
    assert [image for image, _ in STAGES] == [
        "python:${PYTHON}",
        "python:${PYTHON}",
        "python:${PYTHON}-slim",
    ]


def test_what_is_copied_is_there_and_reaches_the_build() -> None:
    from_checkout = [path for words in COPIES if "--from=build" not in words for path in words[:-1]]
    assert {"toolchain", "templates", "web", "Makefile", "requirements.lock"} <= set(from_checkout)
    for path in from_checkout:
        assert (ROOT / path).exists(), path
        assert not ignored(path), path
    for path in (
        "web/node_modules/x",
        "web/dist/runtime.json",
        ".git",
        ".venv/bin",
        "tests",
        "build",
    ):
        assert ignored(path), path


def test_all_that_the_wheel_is_made_from_is_copied() -> None:
    named = set(re.findall(r'"/([\w./-]+)"', (ROOT / "pyproject.toml").read_text("utf-8")))
    sources = {path for path in named if (ROOT / path).exists() and not ignored(path)}
    copied = {path for words in COPIES for path in words[:-1]}
    assert {"toolchain", "templates", "web", "LICENSE", "README.md"} <= sources
    assert sources <= copied


def test_no_image_runs_as_root() -> None:
    *_, last = re.findall(r"^USER (.*)$", DOCKERFILE, re.MULTILINE)
    assert last == "1000"
    final = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    assert "USER 1000" in final
    assert 'ENTRYPOINT ["toolchain"]' in final
    assert "chromium" not in final


@pytest.mark.parametrize("stage", ["build", "develop"])
def test_stages_that_are_named_exist(stage: str) -> None:
    assert stage in {name for _, name in STAGES}
    assert f"--from={stage}" in DOCKERFILE or stage == "develop"


def test_the_development_container_is_built_from_a_stage_and_runs_a_make_target() -> None:
    folder = ROOT / ".devcontainer"
    container = json.loads((folder / "devcontainer.json").read_text("utf-8"))
    build = container["build"]
    assert (folder / build["dockerfile"]).resolve() == ROOT / "Dockerfile"
    assert (folder / build["context"]).resolve() == ROOT
    assert build["target"] in {name for _, name in STAGES}
    assert f"useradd --create-home --uid 1000 {container['remoteUser']}" in DOCKERFILE
    make, target = container["postCreateCommand"].split()
    assert make == "make"
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
