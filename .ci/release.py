"""Makes a release: the version, the archives, their checksums, a commit and a tag.

Run by `make release VERSION=x.y.z`. Nothing is pushed. A build that fails leaves all as it was.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
VERSION_FILE = ROOT / "toolchain" / "__init__.py"
_VERSION = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)


def main() -> None:
    """Release the version that the command line names."""
    version = sys.argv[1] if len(sys.argv) > 1 else ""
    notes = check(version)
    before = VERSION_FILE.read_text("utf-8")
    VERSION_FILE.write_text(_VERSION.sub(f'__version__ = "{version}"', before), "utf-8")
    try:
        folder = build(version)
        if _git("status", "--porcelain"):
            _git("commit", "--quiet", "--message", f"Release {version}", str(VERSION_FILE))
    except BaseException:
        VERSION_FILE.write_text(before, "utf-8")
        raise
    message = f"toolchain {version}\n\n{notes}\n"
    # Otherwise git would take the notes' headings for comments.
    _git("tag", "--annotate", "--cleanup=verbatim", "--message", message, f"v{version}")
    print(f"Tagged v{version}; {folder.relative_to(ROOT)} holds the files to publish.")
    print(f"To publish it: git push origin HEAD v{version}")


def check(version: str) -> str:
    """Return the changelog's section of a version that can be released from here.

    Raises:
        SystemExit: It cannot.
    """
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise SystemExit("release: no version; run `make release VERSION=x.y.z`")
    if changed := _git("status", "--porcelain"):
        raise SystemExit(f"release: the checkout is not clean; commit or remove:\n{changed}")
    if _git("tag", "--list", f"v{version}"):
        raise SystemExit(f"release: v{version} is tagged already; choose a later version")
    changelog = (ROOT / "CHANGELOG.md").read_text("utf-8")
    heading = rf"^## {re.escape(version)} \(\d{{4}}-\d\d-\d\d\)\n"
    section = re.search(rf"{heading}(.*?)(?=^## |\Z)", changelog, re.MULTILINE | re.DOTALL)
    if not section or not section[1].strip():
        raise SystemExit(
            f"release: CHANGELOG.md has no section `## {version} (YYYY-MM-DD)` with changes; "
            "rename `## Unreleased` to that, put an empty `## Unreleased` above, and commit"
        )
    return section[1].strip()


def build(version: str) -> Path:
    """Build wheel and source archive into `build/release-VERSION` and write their checksums."""
    folder = ROOT / "build" / f"release-{version}"
    shutil.rmtree(folder, ignore_errors=True)
    command = (sys.executable, "-m", "build", "--no-isolation", "--outdir", str(folder), ".")
    subprocess.run(command, cwd=ROOT, check=True)
    files = sorted(folder.iterdir())
    sums = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files]
    (folder / "SHA256SUMS").write_text("".join(sums), "utf-8")
    return folder


def _git(*words: str) -> str:
    command = ("git", *words)
    return subprocess.run(
        command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout.rstrip()


if __name__ == "__main__":
    main()
