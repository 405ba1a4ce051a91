"""What installs the tests' Debian packages waits for another apt, and can leave some out."""

from __future__ import annotations

import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.watchdog import HANG_S

fcntl = pytest.importorskip("fcntl")

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(shutil.which("apt-get") is None, reason="needs Debian's apt")

SCRIPT = Path(__file__).with_name("debian.sh")
INSTALLED = "dpkg"  # which every Debian has
LOCKS = {
    "lists": "state/lists/lock",
    "packages": "dpkg/lock-frontend",
    "downloads": "cache/archives/lock",
}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An apt of the test's own: what is installed is known, and nothing can be downloaded."""
    for folder in ("state/lists/partial", "cache/archives/partial", "dpkg", "parts"):
        (tmp_path / folder).mkdir(parents=True)
    shutil.copyfile("/var/lib/dpkg/status", tmp_path / "dpkg" / "status")
    (tmp_path / "sources.list").touch()
    settings = {
        "Dir::State": "state",
        "Dir::State::status": "dpkg/status",
        "Dir::Cache": "cache",
        "Dir::Etc::sourcelist": "sources.list",
        "Dir::Etc::sourceparts": "parts",
    }
    lines = [f'{name} "{tmp_path / path}";\n' for name, path in settings.items()]
    # As another user it could not read what it has itself written here.
    lines.append('APT::Sandbox::User "root";\n')
    (tmp_path / "apt.conf").write_text("".join(lines), "utf-8")
    monkeypatch.setenv("APT_CONFIG", str(tmp_path / "apt.conf"))
    return tmp_path


@contextmanager
def held(lock: Path) -> Iterator[None]:
    """Hold a lock as another apt does."""
    with lock.open("w") as file:
        fcntl.lockf(file, fcntl.LOCK_EX)
        yield


@contextmanager
def installing(*words: str) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        ["sh", SCRIPT, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"LANGUAGE": "de", "LANG": "de_DE.UTF-8"},
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("lock", LOCKS)
def test_another_apt_is_waited_for(root: Path, lock: str) -> None:
    with installing(INSTALLED) as process:
        with held(root / LOCKS[lock]):
            assert process.stderr is not None
            said = process.stderr.readline()
            assert said.startswith("Waiting for another apt to end"), said
            assert str(root / LOCKS[lock]) in said
            assert process.poll() is None
        _, err = process.communicate(timeout=HANG_S)
    assert process.returncode == 0, err


@pytest.mark.usefixtures("root")
def test_what_this_system_has_no_package_for_is_left_out_where_it_may_be() -> None:
    with installing("--known", "no-such-package", INSTALLED) as process:
        out, err = process.communicate(timeout=HANG_S)
    assert process.returncode == 0, err
    assert "There is no package no-such-package" in err
    assert out == f"Installing {INSTALLED} for the tests\n"
    with installing("no-such-package") as process:
        _, err = process.communicate(timeout=HANG_S)
    assert process.returncode == 1
    assert "Unable to locate package no-such-package" in err
    assert "Waiting" not in err
