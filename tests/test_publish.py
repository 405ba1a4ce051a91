"""Putting a site in place: whole or not at all, and only over a site."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from toolchain.errors import BadInputError
from toolchain.site import publish

OLD = {"report.json": "{}", "index.html": "old", "model/a.bin": "1"}
NEW = {"report.json": '{"new": 1}', "index.html": "new", "model/b.bin": "2"}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, "utf-8")
    return folder


def contents(folder: Path) -> dict[str, str]:
    return {
        path.relative_to(folder).as_posix(): path.read_text("utf-8")
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "parent" / "site"


def stage(out: Path, files: dict[str, str], error: BaseException | None = None) -> None:
    with publish.staged(out) as folder:
        write(folder, files)
        if error:
            raise error


def test_the_first_site_appears_with_its_parents_and_nothing_else(out: Path) -> None:
    stage(out, NEW)
    assert contents(out) == NEW
    assert [path.name for path in out.parent.iterdir()] == ["site"]
    assert out.stat().st_mode & 0o777 == 0o755


def test_a_new_site_takes_the_place_of_the_old(out: Path) -> None:
    write(out, OLD)
    stage(out, NEW)
    assert contents(out) == NEW
    assert [path.name for path in out.parent.iterdir()] == ["site"]


def test_an_empty_folder_may_be_filled(out: Path) -> None:
    out.mkdir(parents=True)
    stage(out, NEW)
    assert contents(out) == NEW


@pytest.mark.skipif(sys.platform != "linux", reason="Linux' system call")
def test_the_two_are_exchanged_in_one_step(out: Path) -> None:
    """Whoever has the old folder open keeps the old site, whole, under the other name."""
    write(out, OLD)
    old = out.stat().st_ino
    other = write(out.with_name("other"), NEW)
    new = other.stat().st_ino
    assert publish._exchange(other, out)
    assert (out.stat().st_ino, other.stat().st_ino) == (new, old)
    assert contents(out) == NEW
    assert contents(other) == OLD


def test_an_exchange_that_fails_says_which_folder(out: Path) -> None:
    write(out, OLD)
    with pytest.raises(FileNotFoundError, match="site"):
        publish._exchange(out.with_name("missing"), out)
    assert contents(out) == OLD


@pytest.mark.skipif(sys.platform != "linux", reason="Linux' system call")
def test_a_reader_never_meets_a_missing_or_mixed_site(out: Path) -> None:
    write(out, OLD)
    watch = (
        "import sys; from pathlib import Path\n"
        "index = Path(sys.argv[1]) / 'index.html'\n"
        "seen = set()\n"
        "print('reading', flush=True)\n"
        "while 'end' not in seen: seen.add(index.read_text())\n"
        "print(sorted(seen))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", watch, str(out)], stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdout is not None
        assert reader.stdout.readline() == "reading\n"
        for turn in range(100):
            stage(out, {**NEW, "index.html": f"turn {turn % 2}"})
        stage(out, {**NEW, "index.html": "end"})
        assert set(eval(reader.stdout.read())) <= {"old", "turn 0", "turn 1", "end"}  # noqa: S307
    assert reader.returncode == 0


@pytest.mark.parametrize("error", [RuntimeError("half way"), KeyboardInterrupt(), SystemExit(1)])
def test_a_failure_leaves_the_old_site_and_nothing_else(out: Path, error: BaseException) -> None:
    write(out, OLD)
    before = out.stat().st_ino
    with pytest.raises(type(error)):
        stage(out, NEW, error)
    assert contents(out) == OLD
    assert out.stat().st_ino == before
    assert [path.name for path in out.parent.iterdir()] == ["site"]


def test_a_failure_of_the_first_build_leaves_no_site(out: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        stage(out, NEW, KeyboardInterrupt())
    assert list(out.parent.iterdir()) == []


def test_the_same_site_leaves_the_old_folder_untouched(out: Path) -> None:
    write(out, OLD)
    before = out.stat()
    stage(out, {**OLD, "report.json": '{"seconds": 2}'})
    assert (out.stat().st_ino, out.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert contents(out) == OLD
    assert [path.name for path in out.parent.iterdir()] == ["site"]


@pytest.mark.parametrize(
    "change", [{"index.html": "olD"}, {"more.txt": ""}, {"model/report.json": ""}]
)
def test_the_least_change_brings_the_new_site(out: Path, change: dict[str, str]) -> None:
    write(out, OLD)
    before = out.stat().st_ino
    stage(out, {**OLD, **change})
    assert out.stat().st_ino != before
    assert contents(out) == {**OLD, **change}


def test_a_file_that_went_brings_the_new_site(out: Path) -> None:
    write(out, OLD)
    less = {name: content for name, content in OLD.items() if name != "model/a.bin"}
    stage(out, less)
    assert contents(out) == less


def test_what_killed_builds_left_is_swept_and_nothing_besides(out: Path) -> None:
    write(out.with_name(".site.building-abandoned"), NEW)
    others = [".site2.building-x", "site.building-x", ".other.building-x"]
    for name in others:
        out.with_name(name).mkdir()
    stage(out, NEW)
    assert sorted(path.name for path in out.parent.iterdir()) == sorted([*others, "site"])


@pytest.mark.parametrize("name", ["site[1]", "*", "a?c"])
def test_signs_that_patterns_use_are_signs_in_a_name(out: Path, name: str) -> None:
    out = out.with_name(name)
    left = write(out.with_name(f".{name}.building-abandoned"), NEW)
    other = write(out.with_name(".abc.building-under-way"), NEW)
    stage(out, NEW)
    assert not left.exists()
    assert contents(other) == NEW


def test_a_relative_folder_is_where_one_stands(tmp_path: Path) -> None:
    stage(Path("site"), NEW)
    assert contents(tmp_path / "site") == NEW


def test_the_folder_where_one_stands_may_become_the_site(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out.mkdir(parents=True)
    monkeypatch.chdir(out)
    stage(Path(), NEW)
    assert contents(out) == NEW
    assert [path.name for path in out.parent.iterdir()] == ["site"]


def refused(out: Path, message: str) -> None:
    with pytest.raises(BadInputError, match=message) as raised:
        stage(out, NEW)
    assert str(out) in str(raised.value)
    assert "--out" in str(raised.value)
    assert raised.value.exit_code == 2


@pytest.mark.parametrize("name", ["notes.txt", ".git/config", "index.html", "deep/report.json"])
def test_a_folder_of_somebody_else_is_refused_and_kept(out: Path, name: str) -> None:
    write(out, {name: "mine"})
    refused(out, "holds files that this tool did not make")
    assert contents(out) == {name: "mine"}


def test_a_file_is_refused_and_kept(out: Path) -> None:
    write(out.parent, {"site": "mine"})
    refused(out, "is not a folder")
    assert out.read_text("utf-8") == "mine"


@pytest.mark.parametrize("target", ["elsewhere", "missing"])
def test_a_link_is_refused_and_kept(out: Path, target: str) -> None:
    write(out.with_name("elsewhere"), OLD)
    out.symlink_to(target)
    refused(out, "is not a folder")
    assert out.readlink() == Path(target)
    assert contents(out.with_name("elsewhere")) == OLD


def test_a_parent_that_is_a_file_is_refused(out: Path) -> None:
    out.parent.write_text("mine", "utf-8")
    refused(out, "cannot be written: .+; choose another")


def test_a_name_that_is_too_long_is_refused(out: Path) -> None:
    refused(out.with_name("x" * 300), "cannot be written: File name too long; choose another")


def test_a_place_where_nobody_can_write_is_refused() -> None:
    refused(Path("/proc/site"), "cannot be written: .+; choose another")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs another user")
@pytest.mark.parametrize("mode", [0o555, 0o000])
def test_a_folder_that_belongs_to_another_user_is_refused(tmp_path: Path, mode: int) -> None:
    """Root may write anywhere, so this happens as nobody, in a process of its own."""
    parent = tmp_path / "locked"
    parent.mkdir()
    parent.chmod(mode)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    pid = os.fork()
    if pid == 0:
        code = 3
        try:
            os.setuid(65534)
            stage(parent / "site", NEW)
        except BadInputError as error:
            code = int("cannot be written: Permission denied" not in str(error))
        except BaseException:  # noqa: BLE001 - reported by the code
            code = 2
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
