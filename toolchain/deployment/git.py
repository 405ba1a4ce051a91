"""Calls git so that no setting of the user can change what is stored.

Commands on objects run without any configuration, so no attribute, filter, hook or signature has
an effect. Commands that reach another repository need the user's configuration: credentials,
proxies and rewritten addresses. Settings that would run hooks, sign, or send more than was asked
for are switched off.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain.errors import MissingToolError
from toolchain.site.build_info import FileFact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

_CHUNK = 1 << 20
# Environment variables that would make git use another repository; git sets some for its hooks.
_OF_ANOTHER_REPOSITORY = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_ATTR_SOURCE",
        "GIT_COMMON_DIR",
        "GIT_DEFAULT_HASH",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_INTERNAL_SUPER_PREFIX",
        "GIT_NAMESPACE",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_QUARANTINE_PATH",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_TEMPLATE_DIR",
        "GIT_WORK_TREE",
    }
)
_AUTHOR = {
    f"GIT_{who}_{what}": value
    for who in ("AUTHOR", "COMMITTER")
    for what, value in (("NAME", "toolchain"), ("EMAIL", "toolchain@localhost"))
}
_REJECTED = re.compile(r"^ ! \[(?P<by>[^\]]+)\].*\((?P<why>[^()]*)\)$", re.MULTILINE)
_SAID_THERE = re.compile(r"^remote:\s+(?P<said>\S.*?)\s*$", re.MULTILINE)
_NO_CAUSE = ("hint:", "warning:", "Warning:", "To ", "remote:")


class GitError(Exception):
    """A git command failed; the message is the cause, without a period at its end."""


@dataclass(frozen=True)
class Entry:
    """One entry of a commit's tree."""

    mode: str
    """Git's mode: 100644 is a file, 100755 a program, 120000 a link, 160000 a submodule."""
    oid: str
    """The object's name, which is its hash."""


FILE_MODE = "100644"


class Repository:
    """A temporary bare repository, in which commits are made without a checkout.

    Args:
        folder: Where to make it; empty, or not yet there.
        object_format: The hash that names objects, `sha1` or `sha256`.

    Raises:
        MissingToolError: There is no git.
        GitError: It cannot be made.
    """

    def __init__(self, folder: Path, object_format: str = "sha1") -> None:
        self._repository = folder / "repository.git"
        # An empty folder as git's home and hooks folder, so it finds no settings and no hooks.
        self._empty = folder / "empty"
        self._empty.mkdir(parents=True, exist_ok=True)
        # Older versions of git lack the option, and need none for sha1.
        hashed = [] if object_format == "sha1" else [f"--object-format={object_format}"]
        self._plain("init", "--quiet", "--bare", "--template=", *hashed, str(self._repository))

    def head(self, repository: str, ref: str) -> str | None:
        """Return the commit at a ref of another repository, or None if it has no such ref.

        Args:
            repository: Anything that `git clone` accepts.
            ref: The full name, such as `refs/heads/main`.
        """
        for line in self._remote("ls-remote", "--", repository, ref).decode().splitlines():
            oid, _, name = line.partition("\t")
            if name == ref:  # the pattern also matches refs/heads/other/refs/heads/main
                return oid
        return None

    def fetch(self, repository: str, ref: str) -> str:
        """Fetch the newest commit of a ref, and return its name."""
        self._remote(
            *("fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules"),
            *("--", repository, f"+{ref}:refs/fetched"),
        )
        return self._local("rev-parse", "--verify", "refs/fetched^{commit}").decode().strip()

    def push(self, repository: str, commit: str, ref: str) -> None:
        """Push a commit to a ref that does not exist, or still is at the commit's parent."""
        self._remote(
            *("push", "--quiet", "--no-verify", "--no-signed", "--no-follow-tags"),
            *("--recurse-submodules=no", "--", repository, f"{commit}:{ref}"),
        )

    def tree(self, commit: str) -> dict[str, Entry]:
        """Return the entries of a commit or a tree, by path."""
        listed = self._local("ls-tree", "-r", "-z", "--full-tree", commit)
        found = {}
        for line in filter(None, listed.split(b"\0")):
            facts, _, path = line.partition(b"\t")
            mode, _, oid = facts.decode().split()
            found[os.fsdecode(path)] = Entry(mode, oid)
        return found

    def content(self, oid: str) -> bytes:
        """Return the bytes of a blob."""
        return self._local("cat-file", "blob", oid)

    def facts(self, oids: Iterable[str]) -> dict[str, FileFact]:
        """Read blobs back and return the size and the SHA-256 of each one's content."""
        names = sorted(set(oids))
        with subprocess.Popen(  # noqa: S603 - the user's git
            [_git(), "--git-dir", str(self._repository), "cat-file", "--batch"],
            env=self._own_environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        ) as process:
            if process.stdin is None or process.stdout is None:
                raise RuntimeError("both are pipes")
            found = {}
            for name in names:
                process.stdin.write(f"{name}\n".encode())
                process.stdin.flush()
                said = process.stdout.readline().decode().split()
                if said[1:2] != ["blob"]:
                    raise GitError(f"{name} cannot be read back ({' '.join(said[1:])})")
                left = size = int(said[2])
                state = hashlib.sha256()
                while left and (chunk := process.stdout.read(min(left, _CHUNK))):
                    state.update(chunk)
                    left -= len(chunk)
                process.stdout.read(1)  # the line break after the content
                found[name] = FileFact(size=size - left, sha256=state.hexdigest())
        return found

    def add(self, source: Path) -> str:
        """Store a file's content unchanged, and return the blob's name."""
        with source.open("rb") as file:
            stored = _call(
                [*self._here(), "hash-object", "-w", "--stdin", "--no-filters"],
                self._own_environment(),
                given=file.fileno(),
            )
        return stored.decode().strip()

    def add_bytes(self, content: bytes) -> str:
        """Store some content unchanged, and return the blob's name."""
        words = ("hash-object", "-w", "--stdin", "--no-filters")
        return self._local(*words, given=content).decode().strip()

    def add_tree(self, entries: Mapping[str, Entry]) -> str:
        """Store a tree of these entries, by path, and return its name."""
        lines = b"".join(
            f"{entry.mode} {entry.oid}\t".encode() + os.fsencode(path) + b"\0"
            for path, entry in sorted(entries.items())
        )
        self._local("read-tree", "--empty")
        self._local("update-index", "-z", "--index-info", given=lines)
        return self._local("write-tree").decode().strip()

    def add_commit(self, tree: str, parent: str | None, message: str) -> str:
        """Store an unsigned commit with toolchain as its author, and return its name."""
        parents = [] if parent is None else ["-p", parent]
        words = ("commit-tree", "--no-gpg-sign", *parents, "-m", message, tree)
        return self._local(*words).decode().strip()

    def _here(self) -> list[str]:
        return ["--git-dir", str(self._repository)]

    def _own_environment(self) -> dict[str, str]:
        """Return an environment in which git reads only the repository's own configuration."""
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith("GIT_") or name == "GIT_EXEC_PATH"
        }
        return kept | {
            **_AUTHOR,
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": os.devnull,
            # Git before 2.32 ignores GIT_CONFIG_GLOBAL and looks here.
            "HOME": str(self._empty),
            "XDG_CONFIG_HOME": str(self._empty),
            "LC_ALL": "C",
        }

    def _remote(self, *words: str) -> bytes:
        kept = {
            name: value for name, value in os.environ.items() if name not in _OF_ANOTHER_REPOSITORY
        }
        settings = {
            "core.hooksPath": str(self._empty),
            **{f"color.{part}": "false" for part in ("advice", "push", "remote", "transport")},
            "fetch.writeCommitGraph": "false",
            "push.gpgSign": "false",
            # No background process may still run when the folder is removed.
            "gc.auto": "0",
            "maintenance.auto": "false",
        }
        options = (word for name, value in settings.items() for word in ("-c", f"{name}={value}"))
        # Git's messages are parsed below, so they must be in English.
        return _call([*self._here(), *options, *words], kept | {"LC_ALL": "C"})

    def _local(self, *words: str, given: bytes = b"") -> bytes:
        return self._plain(*self._here(), *words, given=given)

    def _plain(self, *words: str, given: bytes = b"") -> bytes:
        return _call(words, self._own_environment(), given=given)


def is_branch_name(name: str) -> bool:
    """Tell whether git allows a branch of this name.

    Raises:
        MissingToolError: There is no git.
    """
    try:
        _call(["check-ref-format", f"refs/heads/{name}"], dict(os.environ))
    except GitError:
        return False
    return not name.startswith("-")


def origin() -> str | None:
    """Return the address of the remote `origin` of this folder's checkout, if it has one.

    Raises:
        MissingToolError: There is no git.
    """
    try:
        return _call(["remote", "get-url", "origin"], dict(os.environ)).decode().strip()
    except GitError:
        return None


def _git() -> str:
    git = shutil.which("git")
    if git is None:
        raise MissingToolError("deploying to a branch needs git; install it")
    return git


def _call(
    words: Iterable[str],
    environment: Mapping[str, str],
    *,
    given: bytes | int = b"",
) -> bytes:
    """Run git and return its output.

    Args:
        words: Arguments of `git`.
        environment: The complete environment.
        given: Its standard input: bytes, or the descriptor of a file.

    Raises:
        MissingToolError: There is no git.
        GitError: It failed.
    """
    reading: dict[str, Any] = {"input": given} if isinstance(given, bytes) else {"stdin": given}
    done = subprocess.run(  # noqa: S603 - the user's git
        [_git(), *words], env=dict(environment), capture_output=True, check=False, **reading
    )
    if done.returncode != 0:
        raise GitError(_cause(done.stderr.decode("utf-8", "replace")))
    answer: bytes = done.stdout
    return answer


def _cause(said: str) -> str:
    """Return the cause of git's failure, in one line."""
    if found := _REJECTED.search(said):
        if found["by"] == "rejected":
            return "someone else has pushed to it in the meantime, so deploy again"
        more = _SAID_THERE.search(said)
        return f"the repository refused it: {more['said'] if more else found['why']}".rstrip(".")
    lines = [line.strip() for line in said.splitlines() if not line.startswith(_NO_CAUSE)]
    return next(filter(None, lines), "it did not say why").rstrip(".")
