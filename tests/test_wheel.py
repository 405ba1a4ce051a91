"""The wheel: installed into a new environment, it builds a site without Node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.tiny_models import saved_model
from toolchain.records import build_report

if TYPE_CHECKING:
    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("wheel")

ROOT = Path(__file__).parents[1]


def run(*command: str | Path, **environment: str) -> str:
    result = subprocess.run(
        list(map(str, command)),
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, f"{result.stdout}\n{result.stderr}"
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    # The source archive first, then the wheel from it: what a packager does.
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ".")
    (built,) = out.glob("*.whl")
    return built


def test_the_wheel_carries_the_templates_and_the_runtimes(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        manifest = json.loads(archive.read("toolchain/site/runtime/runtime.json"))
    assert "toolchain/site/templates/index.html.j2" in names
    assert "toolchain/site/templates/samples/samples.toml" in names
    assert [runtime["name"] for runtime in manifest["runtimes"]] == ["core", "mobilenet", "full"]
    for runtime in manifest["runtimes"]:
        assert {f"toolchain/site/runtime/{file}" for file in runtime["files"]} <= names
    assert not [name for name in names if "node_modules" in name or name.startswith("tests/")]


def test_the_installed_wheel_builds_a_site_without_node(
    wheel: Path, tmp_path: Path, session_store: Store
) -> None:
    environment = tmp_path / "venv"
    python = environment / "bin" / "python"
    uv = Path(sys.executable).with_name("uv")
    run(uv, "venv", "--quiet", "--python", sys.executable, environment)
    locked = ROOT / "requirements.lock"
    run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", locked)
    run(uv, "pip", "install", "--quiet", "--python", python, "--no-deps", wheel)

    model = saved_model(tmp_path / "tiny", classes=3)
    labels = tmp_path / "labels.txt"
    labels.write_text("red\ngreen\nblue\n", "utf-8")
    site = tmp_path / "site"
    # No Node, no checkout: only the environment's own programs are on the path.
    result = subprocess.run(
        [
            *(str(environment / "bin" / "toolchain"), "build"),
            *("--model", str(model), "--labels", str(labels), "--value-range", "0,1"),
            *("--out", str(site)),
        ],
        cwd=tmp_path,
        env={
            "PATH": str(environment / "bin"),
            "HOME": str(tmp_path),
            "TOOLCHAIN_CACHE": str(session_store.root),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    report = build_report.read(site)
    assert report.card.labels == ("red", "green", "blue")
    assert (site / "index.html").is_file()
    assert all((site / file.path).is_file() for file in report.files)
