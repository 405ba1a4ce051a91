"""A deploy to a branch brings the bytes that were built, whatever the user's git is set to."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.git_settings import HARMLESS, SETTINGS, Home
from tests.test_deploy import make_site, shown
from toolchain.deployment import git, stage
from toolchain.deployment.branch import BranchTarget
from toolchain.errors import BadInputError, ToolchainError
from toolchain.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from toolchain.deployment.target import Item

# Contents that git could take for text, with every end of line, a keyword and no last line end.
TRICKY = {
    "assets/crlf.0123456789abcdef.json": b'{"a": 1}\r\n{"b": 2}\r\n',
    "assets/mixed.0123456789abcdef.txt": b"one\ntwo\r\nthree\r$Id$\n$Id: old $",
    "assets/mixed.0123456789ABCDEF.txt": b"another case",
    "assets/Bär 1.txt": b"\xe4 is no UTF-8\n",
    "model/text.fedcba9876543210.bin": b"looks like text\r\nand is weights\r\n",
    "model/bytes.fedcba9876543210.bin": bytes(range(256)),
    "model/empty.fedcba9876543210.bin": b"",
}


def site_of(folder: Path, word: str) -> Path:
    site = make_site(folder, word)
    for path, content in TRICKY.items():
        (site / path).write_bytes(content)
    return site


def built(site: Path) -> dict[str, bytes]:
    """Return what a branch shall have of a site."""
    unpublished = ("report.json", "report.html", "_headers")
    return {
        path: (site / path).read_bytes()
        for file in site.rglob("*")
        if file.is_file()
        and (path := file.relative_to(site).as_posix()) not in unpublished
        and not path.endswith((".br", ".gz"))
    }


@pytest.fixture
def clean() -> dict[str, str]:
    """Return the environment of a git without any settings, as it is before a test sets some."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    return own | {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}


@pytest.fixture
def repository(tmp_path: Path, clean: dict[str, str]) -> Path:
    """Return a bare repository that answers to its own settings only."""
    bare = tmp_path / "bare.git"
    for words in (
        ("init", "--quiet", "--bare", "--template=", bare),
        ("--git-dir", bare, "config", "core.hooksPath", bare / "hooks"),
    ):
        subprocess.run(["git", *words], env=clean, check=True)
    return bare


def stored(repository: Path, clean: dict[str, str], branch: str = "gh-pages") -> dict[str, bytes]:
    """Return the files of a branch as they are in the repository, without a checkout."""

    def ask(*words: str) -> bytes:
        command = ["git", "--git-dir", str(repository), *words]
        return subprocess.run(command, env=clean, capture_output=True, check=True).stdout

    listed = ask("ls-tree", "-r", "-z", "--name-only", branch).split(b"\0")
    paths = [path.decode() for path in listed if path]
    return {path: ask("cat-file", "blob", f"{branch}:{path}") for path in paths}


def site_in(files: dict[str, bytes]) -> dict[str, bytes]:
    return {path: content for path, content in files.items() if not path.startswith(".")}


@pytest.fixture(params=SETTINGS, ids=lambda setting: setting.__name__)
def home(
    request: pytest.FixtureRequest,
    clean: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Home:
    """Let git be set to something."""
    del clean  # is of the time before
    made = Home(tmp_path / "home")
    monkeypatch.setenv("HOME", str(made.folder))
    for name in ("XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_NOSYSTEM"):
        monkeypatch.delenv(name, raising=False)
    request.param(made)
    return made


def usual_commands_are_faithful(site: Path, scratch: Path, clean: dict[str, str]) -> bool:
    """Tell whether a clone, `add`, `commit` and `push` would have brought a site's bytes."""
    bare, clone = scratch / "usual.git", scratch / "usual"
    subprocess.run(["git", "init", "-q", "--bare", "--template=", bare], env=clean, check=True)
    subprocess.run(["git", "init", "-q", "-b", "gh-pages", clone], check=True)
    for path, content in built(site).items():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_bytes(content)
    author = ("-c", "user.name=a", "-c", "user.email=a@localhost")
    for words in (
        ("add", "--all", "."),
        (*author, "commit", "-q", "-m", "as it was"),
        ("push", "-q", str(bare), "HEAD:refs/heads/gh-pages"),
    ):
        command = ["git", "-C", str(clone), *words]
        if subprocess.run(command, capture_output=True, check=False).returncode != 0:
            return False
    log = ["git", "--git-dir", str(bare), "log", "-1", "--format=%s", "gh-pages"]
    message = subprocess.run(log, env=clean, capture_output=True, check=True).stdout
    return message == b"as it was\n" and stored(bare, clean) == built(site)


def test_a_branch_has_what_was_built_whatever_git_is_set_to(
    request: pytest.FixtureRequest,
    home: Home,
    repository: Path,
    clean: dict[str, str],
    tmp_path: Path,
) -> None:
    one, two = site_of(tmp_path / "a", "one"), site_of(tmp_path / "b", "two")
    setting = request.node.callspec.params["home"]
    assert usual_commands_are_faithful(one, tmp_path, clean) == (setting in HARMLESS)
    home.log.unlink(missing_ok=True)

    stage.deploy(one, BranchTarget(str(repository)), progress=Silent())
    assert site_in(stored(repository, clean)) == built(one)
    stage.deploy(two, BranchTarget(str(repository)), progress=Silent())
    assert built(two).items() <= stored(repository, clean).items()
    stage.rollback(BranchTarget(str(repository)), progress=Silent())
    assert built(one).items() <= stored(repository, clean).items()
    assert not home.log.exists(), home.log.read_text()

    # A host whose own git is set like this gets the same when it checks the branch out: only
    # attributes in a checkout's own `.git` come before those of the branch.
    checkout = tmp_path / "checkout"
    without_hooks = ("-c", f"core.hooksPath={tmp_path}", "-c", "core.fsmonitor=false")
    words = ("clone", "-q", "--template=", "-b", "gh-pages", repository, checkout)
    subprocess.run(["git", *without_hooks, *words], check=True)
    there = {path: (checkout / path).read_bytes() for path in built(one)}
    assert there == built(one)


def test_an_address_that_stands_for_another_leads_there(
    repository: Path, clean: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    home.config(f'[url "{tmp_path}/"]\n insteadOf = pages:')
    monkeypatch.setenv("HOME", str(home.folder))
    for name in ("XDG_CONFIG_HOME", "GIT_CONFIG_GLOBAL"):
        monkeypatch.delenv(name, raising=False)
    site = site_of(tmp_path / "site", "one")
    for _ in range(2):
        stage.deploy(site, BranchTarget("pages:bare.git"), progress=Silent())
    assert site_in(stored(repository, clean)) == built(site)


def test_a_deploy_from_within_a_hook_leaves_the_hooks_repository_alone(
    repository: Path, clean: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own"
    subprocess.run(["git", "init", "-q", own], env=clean, check=True)
    before = sorted(path for path in own.rglob("*"))
    for name, value in {
        "GIT_DIR": own / ".git",
        "GIT_WORK_TREE": own,
        "GIT_INDEX_FILE": own / ".git" / "index",
        "GIT_OBJECT_DIRECTORY": own / ".git" / "objects",
        "GIT_AUTHOR_NAME": "somebody",
        "GIT_NAMESPACE": "elsewhere",
        "GIT_PREFIX": "sub/",
    }.items():
        monkeypatch.setenv(name, str(value))
    site = site_of(tmp_path / "site", "one")
    stage.deploy(site, BranchTarget(str(repository)), progress=Silent())
    assert site_in(stored(repository, clean)) == built(site)
    assert sorted(path for path in own.rglob("*")) == before


def test_a_repository_that_names_objects_by_sha256_is_deployed_to(
    clean: dict[str, str], tmp_path: Path
) -> None:
    bare, seed = tmp_path / "bare.git", tmp_path / "seed"
    for words in (
        ("init", "-q", "--bare", "--object-format=sha256", str(bare)),
        ("init", "-q", "--object-format=sha256", "-b", "gh-pages", str(seed)),
    ):
        subprocess.run(["git", *words], env=clean, check=True)
    (seed / "mine.txt").write_text("mine", "utf-8")
    commit(bare, clean, seed, "gh-pages")
    site = site_of(tmp_path / "site", "one")
    stage.deploy(site, BranchTarget(str(bare)), progress=Silent())
    assert built(site).items() <= stored(bare, clean).items()


def commit(repository: Path, clean: dict[str, str], folder: Path, branch: str) -> None:
    """Commit a folder's files to a branch, as somebody else does."""
    author = ("-c", "user.name=a", "-c", "user.email=a@localhost")
    for words in (
        ("init", "-q", "-b", branch),
        ("add", "--all", "--force", "."),
        (*author, "commit", "-q", "-m", "mine"),
        ("push", "-q", str(repository), f"HEAD:refs/heads/{branch}"),
    ):
        subprocess.run(["git", *words], cwd=folder, env=clean, check=True)


def test_what_others_have_committed_stays_as_it_is(
    repository: Path, clean: dict[str, str], tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "CNAME").write_text("example.org\n", "utf-8")
    (mine / ".gitattributes").write_text("*.psd binary\n", "utf-8")
    (mine / "tool").write_text("#!/bin/sh\n", "utf-8")
    (mine / "tool").chmod(0o755)
    (mine / "link").symlink_to("/etc/hostname")
    commit(repository, clean, mine, "gh-pages")
    before = listing(repository, clean)
    stage.deploy(site_of(tmp_path / "a", "one"), BranchTarget(str(repository)), progress=Silent())
    assert before.items() <= listing(repository, clean).items()
    assert len(before) == 4


def listing(repository: Path, clean: dict[str, str]) -> dict[str, str]:
    """Return mode and object of everything in the branch, by its path."""
    command = ["git", "--git-dir", str(repository), "ls-tree", "-r", "gh-pages"]
    answer = subprocess.run(command, env=clean, capture_output=True, text=True, check=True)
    lines = (line.split("\t") for line in answer.stdout.splitlines())
    return {path: facts for facts, path in lines}


def test_a_branch_of_a_longer_name_is_another(
    repository: Path, clean: dict[str, str], tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "mine.txt").write_text("mine", "utf-8")
    commit(repository, clean, mine, "feature/gh-pages")
    site = site_of(tmp_path / "site", "one")
    stage.deploy(site, BranchTarget(str(repository)), progress=Silent())
    assert site_in(stored(repository, clean)) == built(site)
    assert set(stored(repository, clean, "feature/gh-pages")) == {"mine.txt"}


class Meanwhile(BranchTarget):
    """A branch to which something happens while files are brought."""

    def __init__(self, repository: Path, happens: Callable[[], None]) -> None:
        super().__init__(str(repository))
        self._happens = happens

    def put(self, items: Sequence[Item], sent: Callable[[int], None]) -> None:
        super().put(items, sent)
        if any(item.path == "index.html" for item in items):
            self._happens()


def test_a_commit_that_somebody_else_pushes_meanwhile_stays(
    repository: Path, clean: dict[str, str], tmp_path: Path
) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "mine.txt").write_text("mine", "utf-8")
    target = Meanwhile(repository, lambda: commit(repository, clean, mine, "gh-pages"))
    with pytest.raises(ToolchainError, match="someone else has pushed to it in the meantime"):
        stage.deploy(site_of(tmp_path / "site", "one"), target, progress=Silent())
    assert set(stored(repository, clean)) == {"mine.txt"}


def test_a_refusal_of_the_repository_is_given_in_its_words(
    repository: Path, tmp_path: Path
) -> None:
    hook = repository / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho no pages on Fridays >&2\nexit 1\n", "utf-8")
    hook.chmod(0o755)
    with pytest.raises(ToolchainError, match="the repository refused it: no pages on Fridays; the"):
        stage.deploy(
            site_of(tmp_path / "site", "one"), BranchTarget(str(repository)), progress=Silent()
        )


def test_blobs_that_are_not_what_was_built_are_not_pushed(
    repository: Path, clean: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = site_of(tmp_path / "a", "one"), site_of(tmp_path / "b", "two")
    stage.deploy(one, BranchTarget(str(repository)), progress=Silent())
    before = stored(repository, clean)

    class Swapping(BranchTarget):
        """Loses a file that was there already, when all has been compared."""

        def remove(self, paths: Sequence[str]) -> None:
            super().remove(paths)
            kept = "assets/shared.0123456789abcdef.js"
            self._entries[kept] = self._entries["index.html"]

        def finish(self, message: str, shown: object) -> None:
            self.remove([])
            super().finish(message, shown)  # type: ignore[arg-type]

    with pytest.raises(
        ToolchainError, match=r"stored assets/shared\S+ with another content.* nothing was push"
    ):
        stage.deploy(two, Swapping(str(repository)), progress=Silent())

    add = git.Repository.add

    def altered(self: git.Repository, source: Path) -> str:
        (tmp_path / "altered").write_bytes(source.read_bytes() + b"\n")
        return add(self, tmp_path / "altered")

    monkeypatch.setattr(git.Repository, "add", altered)
    with pytest.raises(ToolchainError, match=r"did not arrive at branch gh-pages .* unchanged"):
        stage.deploy(two, BranchTarget(str(repository)), progress=Silent())
    assert stored(repository, clean) == before


@pytest.mark.parametrize("name", ["a..b", "-f", "a b", "x.lock"])
def test_a_name_that_git_gives_no_branch_is_refused(repository: Path, name: str) -> None:
    with (
        pytest.raises(BadInputError, match="git allows no branch named"),
        BranchTarget(str(repository), name),
    ):
        pass


def test_a_repository_that_looks_like_an_option_is_none(tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    target = BranchTarget(f"--upload-pack=touch {marker}")
    with pytest.raises(ToolchainError, match="git could not deploy"), target:
        pass
    assert not marker.exists()


def test_nothing_is_left_in_the_system_folder_for_such(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    stage.deploy(make_site(tmp_path / "a", "one"), BranchTarget(str(repository)), progress=Silent())
    with pytest.raises(ToolchainError), BranchTarget(str(tmp_path / "none.git")):
        pass
    BranchTarget(str(repository))  # and never used
    assert shown(scratch) == {}
    assert list(scratch.iterdir()) == []
