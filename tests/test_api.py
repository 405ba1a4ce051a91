"""The Python API: its names, their types, and every example of its page."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import toolchain
from tests import tiny_models

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "api.md"
EXAMPLES = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_each_public_name_has_its_types_and_its_object() -> None:
    stub = ast.parse((ROOT / "toolchain" / "__init__.pyi").read_text("utf-8"))
    typed = {
        (each.asname, f"toolchain.{node.module.removeprefix('toolchain.')}")
        for node in stub.body
        if isinstance(node, ast.ImportFrom) and node.module
        for each in node.names
    }
    assert typed == {(name, f"toolchain.{home}") for name, home in vars(toolchain)["_HOME"].items()}
    for name in vars(toolchain)["__all__"]:
        assert getattr(toolchain, name) is not None
    with pytest.raises(AttributeError, match="'toolchain' has no attribute 'nothing'"):
        _ = toolchain.nothing  # type: ignore[attr-defined]


def test_importing_it_imports_nothing_else() -> None:
    script = (
        "import sys; before = set(sys.modules); import toolchain; dir(toolchain)\n"
        "print(*sorted(name for name in set(sys.modules) - before if '.' not in name))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert set(done.stdout.split()) <= {
        "toolchain",
        "importlib",
        "typing",
        *sys.stdlib_module_names,
    }


def test_every_example_of_the_page_runs(
    tiny: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    random = np.random.default_rng(0)
    names = tiny_models.names()
    (tmp_path / "my_model").symlink_to(tiny, target_is_directory=True)
    (tmp_path / "labels.txt").write_text(" ".join(name.replace(" ", "-") for name in names))
    for name in names[:2]:
        folder = tmp_path / "photos" / name.replace(" ", "-")
        folder.mkdir(parents=True)
        for number in range(4):
            pixels = random.integers(0, 256, (40, 40, 3), np.uint8)
            Image.fromarray(pixels).save(folder / f"{number}.png")
    monkeypatch.chdir(tmp_path)
    assert len(EXAMPLES) == 8
    scope: dict[str, object] = {}
    for example in EXAMPLES:
        exec(compile(example, PAGE.name, "exec"), scope)  # noqa: S102 - they are ours
    said = capsys.readouterr().out.splitlines()
    assert re.fullmatch(r"[0-9a-f]{64} \d+ bytes of weights", said[0])
    assert said[-1].startswith("'no such model' is not a model of the catalogue")
    assert (tmp_path / "public" / "index.html").is_file()
