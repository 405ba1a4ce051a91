"""The lock file serves every Python that the package allows; where there is none, uv gets one."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from toolchain import toml

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[1]
PROJECT: Any = toml.read(ROOT / "pyproject.toml")
LOCK = (ROOT / "requirements.lock").read_text("utf-8")
PYTHONS = ("3.10", "3.11", "3.12", "3.13")
SYSTEMS = {
    "Linux": {"sys_platform": "linux", "platform_machine": "x86_64", "os_name": "posix"},
    "Darwin": {"sys_platform": "darwin", "platform_machine": "arm64", "os_name": "posix"},
}
UV = Path(sys.executable).with_name("uv")
VERSION = "{}.{}".format(*sys.version_info)

posix = pytest.mark.skipif(os.name != "posix", reason="make wants a POSIX shell")


def wanted() -> list[Requirement]:
    """Return what the package, its extras and the groups of `dev` ask for."""
    groups = PROJECT["dependency-groups"]
    included = [each["include-group"] for each in groups["dev"]]
    texts = [
        *PROJECT["project"]["dependencies"],
        *(each for name in included for each in groups[name]),
    ]
    return list(map(Requirement, texts))


def locked(environment: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the versions of each package that the lock file has for an environment."""
    found: dict[str, list[str]] = {}
    for line in re.findall(r"^[a-z0-9][^\\\n]*", LOCK, re.MULTILINE):
        requirement = Requirement(line.strip())
        if requirement.marker is None or requirement.marker.evaluate(dict(environment)):
            version = str(requirement.specifier).removeprefix("==")
            found.setdefault(requirement.name, []).append(version)
    return found


@pytest.mark.parametrize(("python", "system"), list(product(PYTHONS, SYSTEMS)))
def test_the_lock_file_has_one_version_of_all_that_is_asked_for(python: str, system: str) -> None:
    environment = {
        **SYSTEMS[system],
        "platform_system": system,
        "python_version": python,
        "python_full_version": f"{python}.9",
        "implementation_name": "cpython",
        "platform_python_implementation": "CPython",
        "extra": "",
    }
    found = locked(environment)
    assert {name: each for name, each in found.items() if len(each) != 1} == {}
    for each in wanted():
        if each.marker is None or each.marker.evaluate(environment):
            assert each.specifier.contains(found[each.name.lower()][0], prereleases=True), each
    assert "tensorflowjs" in found
    never = {"flax", "jax", "jaxlib", "tensorflow-decision-forests", "ydf"}
    assert never & found.keys() == set()


def test_each_of_these_pythons_is_allowed_and_no_other() -> None:
    allowed = SpecifierSet(PROJECT["project"]["requires-python"])
    others = ("3.9.25", "3.14.0")
    assert [each for each in (*(f"{name}.1" for name in PYTHONS), *others) if each in allowed] == [
        f"{name}.1" for name in PYTHONS
    ]


def build_backend_lock() -> str:
    """Return the part of the lock file that an editable install of the package alone takes."""
    names = ("uv", "hatchling", "editables", "packaging", "pathspec", "pluggy", "trove-classifiers")
    parts = re.split(r"^(?=[a-z0-9])", LOCK, flags=re.MULTILINE)
    return "".join(part for part in parts if part.partition("==")[0] in names)


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Return a small checkout, with what of the system's programs `make` takes in `bin`."""
    checkout = tmp_path / "checkout"
    for name in (".ci/python.sh", "Makefile", "README.md", "LICENSE", "pyproject.toml"):
        (checkout / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, checkout / name)
    for name in ("toolchain/__init__.py", "web/build_hook.py"):
        (checkout / name).parent.mkdir()
        shutil.copy(ROOT / name, checkout / name)
    (checkout / "templates").mkdir()
    (checkout / "requirements.lock").write_text(build_backend_lock(), "utf-8")
    (tmp_path / "bin").mkdir()
    for name in ("awk", "find", "make", "mkdir", "rm", "sh", "touch"):
        (tmp_path / "bin" / name).symlink_to(str(shutil.which(name)))
    return checkout


def script(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n", "utf-8")
    path.chmod(0o755)


def make_venv(checkout: Path, **more: str) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("UV_", "MAKE", "MFLAGS", "PYTHON", "VIRTUAL_ENV"))
    }
    return subprocess.run(
        ["make", ".make/venv"],
        cwd=checkout,
        env={**kept, "PATH": str(checkout.parent / "bin"), **more},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def mirror(tmp_path: Path) -> dict[str, str]:
    """Return the settings by which uv finds a Python of this one's version in a local folder.

    uv names the archive that it would fetch for this machine; one of that name lies in the
    folder, of the same layout. The Python in it is this one, called by a script.
    """
    named = subprocess.run(
        [UV, "python", "list", "--only-downloads", "--show-urls", "--output-format=json", VERSION],
        capture_output=True,
        text=True,
        check=True,
    )
    download = next(
        each
        for each in json.loads(named.stdout)
        if each["implementation"] == "cpython" and each["variant"] == "default"
    )
    release, name = download["url"].rsplit("/", 2)[1:]
    python = tmp_path / "python"
    (python / "bin").mkdir(parents=True)
    library = python / "lib" / f"python{VERSION}"
    library.mkdir(parents=True)
    # uv mends the paths that this file holds, and refuses an archive without it.
    for file in Path(sysconfig.get_path("stdlib")).glob("_sysconfigdata_*.py"):
        shutil.copy(file, library)
    real = Path(sys.executable).resolve()
    script(python / "bin" / f"python{VERSION}", f'exec "{real}" "$@"')
    for link in ("python", "python3"):
        (python / "bin" / link).symlink_to(f"python{VERSION}")
    archive = tmp_path / "mirror" / release / name.replace("%2B", "+")
    archive.parent.mkdir(parents=True)
    with tarfile.open(archive, "w:gz") as packed:
        packed.add(python, "python")
    parts = download["version_parts"]
    told = {
        "name": "cpython",
        "arch": {"family": download["arch"], "variant": None},
        "os": download["os"],
        "libc": download["libc"],
        **parts,
        "prerelease": "",
        # The mirror stands for all before the release.
        "url": "https://github.com/astral-sh/python-build-standalone/releases/download/"
        f"{release}/{name}",
        "sha256": hashlib.sha256(archive.read_bytes()).hexdigest(),
        "variant": None,
    }
    listed = tmp_path / "downloads.json"
    listed.write_text(json.dumps({download["key"]: told}), "utf-8")
    return {
        "PYTHON_VERSION": VERSION,
        "UV_PYTHON_DOWNLOADS_JSON_URL": str(listed),
        "UV_PYTHON_INSTALL_MIRROR": (tmp_path / "mirror").as_uri(),
    }


@posix
def test_make_gets_a_python_by_uv_where_there_is_only_another(
    bare: Path, mirror: dict[str, str]
) -> None:
    # One that is too old for us: it makes venvs, and pip installs uv into them.
    real = Path(sys.executable).resolve()
    script(bare.parent / "bin" / "python3", f'test "$1" != -c || exit 1\nexec "{real}" "$@"')
    done = make_venv(bare, **mirror)
    assert done.returncode == 0, done.stderr
    assert f"installing {VERSION} by uv" in done.stderr
    (installed,) = (bare / ".make" / "python").glob(f"cpython-{VERSION}.*")
    assert (installed / "bin" / f"python{VERSION}").is_file()
    assert (bare / ".venv" / "bin" / "toolchain").is_file()


@posix
def test_make_gives_up_in_a_sentence_where_uv_cannot_be_had(bare: Path) -> None:
    done = make_venv(bare)
    assert done.returncode == 2
    (sentence,) = (line for line in done.stderr.splitlines() if "could not" in line)
    assert sentence.endswith("or say PYTHON=/path/to/it.")
    assert not (bare / ".venv").exists()


@posix
def test_a_python_with_another_digest_is_not_taken(bare: Path, mirror: dict[str, str]) -> None:
    (bare.parent / "bin" / "uv").symlink_to(UV)
    (archive,) = (bare.parent / "mirror").rglob("*.gz")
    archive.write_bytes(archive.read_bytes() + b"more")
    done = make_venv(bare, **mirror)
    assert done.returncode == 2
    assert "could not be installed by uv (.make/python.log says why)" in done.stderr
    assert "ash mismatch" in (bare / ".make" / "python.log").read_text("utf-8")
