"""`make release` in a checkout of its own, with a real git and a real build."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from toolchain import __version__

ROOT = Path(__file__).parents[1]
PARTS = (
    *("toolchain", "templates", "web", ".ci", "Makefile", "LICENSE", "README.md"),
    *("CHANGELOG.md", "pyproject.toml", "requirements.lock", ".gitignore"),
)
VERSION = "99.0.1"
CHANGES = f"# Changelog\n\n## Unreleased\n\n## {VERSION} (2030-01-02)\n\n### Added\n\n- A thing.\n"
PRESENT = f"\n## {__version__} (2026-11-26)\n\n- First.\n"


def git(checkout: Path, *words: str) -> str:
    result = subprocess.run(
        ["git", "-C", checkout, *words], capture_output=True, text=True, check=True
    )
    return result.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a clean checkout of this project, with an origin to which nothing may be pushed."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    folder = tmp_path / "checkout"
    folder.mkdir()
    for name in PARTS:
        source = ROOT / name
        if source.is_dir():
            unwanted = shutil.ignore_patterns("node_modules", "__pycache__")
            shutil.copytree(source, folder / name, ignore=unwanted)
        else:
            shutil.copyfile(source, folder / name)
    (folder / "CHANGELOG.md").write_text(CHANGES + PRESENT, "utf-8")
    git(tmp_path, "init", "--quiet", "--bare", str(tmp_path / "origin.git"))
    git(folder, "init", "--quiet", "--initial-branch", "main")
    git(folder, "config", "user.name", "A. Releaser")
    git(folder, "config", "user.email", "releaser@example.org")
    git(folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "Begin")
    return folder


def release(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `make release` with the packages and the runtime that are here already."""
    ready = ("-o", ".make/venv", "-o", "web/dist/runtime.json")
    return subprocess.run(
        ["make", *ready, "release", f"BIN={Path(sys.executable).parent}", *words],
        cwd=checkout,
        capture_output=True,
        text=True,
        check=False,
    )


def state(checkout: Path) -> tuple[str, str, str]:
    return (
        git(checkout, "rev-parse", "HEAD"),
        git(checkout, "tag", "--list"),
        (checkout / "toolchain" / "__init__.py").read_text("utf-8"),
    )


def test_a_release_is_archives_with_checksums_a_commit_and_a_tag(checkout: Path) -> None:
    begun = git(checkout, "rev-parse", "HEAD")
    result = release(checkout, f"VERSION={VERSION}")
    assert result.returncode == 0, result.stderr
    folder = checkout / "build" / f"release-{VERSION}"
    archives = {f"toolchain-{VERSION}-py3-none-any.whl", f"toolchain-{VERSION}.tar.gz"}
    assert {file.name for file in folder.iterdir()} == {*archives, "SHA256SUMS"}
    assert set((folder / "SHA256SUMS").read_text("utf-8").splitlines()) == {
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}" for name in archives
    }
    with zipfile.ZipFile(folder / f"toolchain-{VERSION}-py3-none-any.whl") as wheel:
        metadata = wheel.read(f"toolchain-{VERSION}.dist-info/METADATA").decode()
    assert f"\nVersion: {VERSION}\n" in metadata

    assert git(checkout, "status", "--porcelain") == ""
    assert git(checkout, "log", "--format=%s", f"{begun}..") == f"Release {VERSION}"
    assert git(checkout, "diff", "--name-only", begun) == "toolchain/__init__.py"
    assert git(checkout, "cat-file", "-t", f"v{VERSION}") == "tag"
    assert git(checkout, "rev-parse", f"v{VERSION}^{{commit}}") == git(
        checkout, "rev-parse", "HEAD"
    )
    message = git(checkout, "tag", "--list", "--format=%(contents)", f"v{VERSION}")
    assert message == f"toolchain {VERSION}\n\n### Added\n\n- A thing."
    assert git(checkout, "ls-remote", "origin") == "", "nothing is pushed"

    before = state(checkout)
    again = release(checkout, f"VERSION={VERSION}")
    assert again.returncode != 0
    assert f"v{VERSION} is tagged already" in again.stderr
    assert state(checkout) == before


def test_a_version_that_is_set_already_is_only_tagged(checkout: Path) -> None:
    begun = git(checkout, "rev-parse", "HEAD")
    assert release(checkout, f"VERSION={__version__}").returncode == 0
    assert git(checkout, "rev-parse", f"v{__version__}^{{commit}}", "HEAD") == f"{begun}\n{begun}"
    assert git(checkout, "status", "--porcelain") == ""


@pytest.mark.parametrize(
    ("words", "file", "content", "told"),
    [
        ((), None, "", "release: no version; run `make release VERSION=x.y.z`"),
        (("VERSION=v1.2",), None, "", "release: no version"),
        (("VERSION=1.2.3",), None, "", "no section `## 1.2.3 (YYYY-MM-DD)` with changes"),
        ((f"VERSION={VERSION}",), "new.txt", "new", "release: the checkout is not clean"),
        ((f"VERSION={VERSION}",), "README.md", "changed", " M README.md"),
    ],
)
def test_what_cannot_be_released_is_told_and_changes_nothing(
    checkout: Path, words: tuple[str, ...], file: str | None, content: str, told: str
) -> None:
    if file is not None:
        (checkout / file).write_text(content, "utf-8")
    before = state(checkout)
    result = release(checkout, *words)
    assert result.returncode != 0
    assert told in result.stderr
    assert "Traceback" not in result.stderr
    assert state(checkout) == before
    assert not (checkout / "build").exists()


def test_a_build_that_fails_leaves_the_version_as_it_was(checkout: Path) -> None:
    (checkout / "README.md").unlink()
    git(checkout, "commit", "--quiet", "--all", "--message", "Lose the readme")
    before = state(checkout)
    result = release(checkout, f"VERSION={VERSION}")
    assert result.returncode != 0
    assert "README.md" in result.stdout + result.stderr
    assert state(checkout) == before


def test_the_changelog_has_versions_in_order_and_one_line_a_change() -> None:
    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert headings[0] == "Unreleased"
    versions = []
    for heading in headings[1:]:
        match = re.fullmatch(r"(\d+)\.(\d+)\.(\d+) \(\d{4}-\d\d-\d\d\)", heading)
        assert match, heading
        versions.append(tuple(map(int, match.groups())))
    assert versions == sorted(set(versions), reverse=True)
    assert f"## {__version__} (" in text
    known = {"Added", "Changed", "Deprecated", "Removed", "Fixed", "Security"}
    assert set(re.findall(r"^### (.*)$", text, re.MULTILINE)) <= known
    changes = text[text.index("## Unreleased") :].splitlines()
    assert [line for line in changes if line.startswith(" ")] == [], "one line a change"
