"""Deploys to a branch of a git repository that a host publishes, such as `gh-pages`.

A release is one commit, pushed at the end, so the host shows either the old site or the new one.
The commit is made from blobs in a temporary repository. There is no checkout that attributes,
filters or hooks could change, and the user's checkouts are not touched.
"""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from toolchain.deployment import git
from toolchain.deployment.hosts import GITHUB_PAGES
from toolchain.deployment.target import Item, Target
from toolchain.errors import BadInputError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from toolchain.site.build_info import FileFact

BRANCH = "gh-pages"
_ADDED_FILES = {
    # Without it GitHub Pages runs Jekyll, which leaves out names with a leading underscore or dot.
    ".nojekyll": b"",
    # With it a checkout on the host has the same bytes, whatever the host's git settings are.
    ".gitattributes": b"* -text -ident -filter !working-tree-encoding\n",
}
"""Files that are added to the branch unless it already has them."""
_SHA256_DIGITS = 64


class BranchTarget(Target):
    """Deploys to a branch; other files of the branch stay.

    Args:
        repository: Anything that `git clone` accepts.
        branch: Name of the branch. If there is none, it is made, with no history.
    """

    host = GITHUB_PAGES

    def __init__(self, repository: str, branch: str = BRANCH) -> None:
        self.name = f"branch {branch} of {repository}"
        here = Path(repository)
        self._address = str(here.resolve()) if here.exists() else repository
        self._branch = branch
        self._ref = f"refs/heads/{branch}"
        self._folder: Path | None = None
        self._opened: git.Repository | None = None
        self._parent: str | None = None
        self._entries: dict[str, git.Entry] = {}

    def __enter__(self) -> Self:
        """Fetch the branch's newest commit.

        Raises:
            BadInputError: Git does not allow a branch of this name.
            MissingToolError: There is no git.
            ToolchainError: The repository cannot be reached.
        """
        if not git.is_branch_name(self._branch):
            raise BadInputError(
                f"git allows no branch named {self._branch}; give another name after the #"
            )
        self._folder = Path(mkdtemp(prefix="toolchain-git-"))
        try:
            with self._errors_name_branch():
                repository = git.Repository(self._folder / "sha1")
                head = repository.head(self._address, self._ref)
                if head is not None and len(head) == _SHA256_DIGITS:
                    repository = git.Repository(self._folder / "sha256", "sha256")
                self._opened = repository
                if head is not None:
                    self._parent = repository.fetch(self._address, self._ref)
                    self._entries = repository.tree(self._parent)
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the temporary repository."""
        self._close()

    def read(self, path: str) -> bytes | None:
        """Return a file's content, or None if there is no such file."""
        entry = self._entries.get(path)
        if entry is None or entry.mode != git.FILE_MODE:
            return None
        with self._errors_name_branch():
            return self._repository.content(entry.oid)

    def differing(self, items: Sequence[Item]) -> frozenset[str]:
        """Return the paths whose file is missing or differs, by the blobs' content."""
        wanted = {item.path: (item.size, item.sha256) for item in items}
        return self._differing(wanted, self._entries)

    def put(self, items: Sequence[Item], sent: Callable[[int], None]) -> None:
        """Store files as blobs for the next commit."""
        for item in items:
            if item.source is None:
                continue
            with self._errors_name_branch():
                oid = self._repository.add(item.source)
            self._entries[item.path] = git.Entry(git.FILE_MODE, oid)
            sent(item.size)

    def remove(self, paths: Sequence[str]) -> None:
        """Leave files out of the next commit."""
        for path in paths:
            self._entries.pop(path, None)

    def finish(self, message: str, shown: Mapping[str, FileFact]) -> None:
        """Commit, check that the commit holds what was built, and push.

        Raises:
            ToolchainError: The commit holds something else, someone else has pushed in the
                meantime, or the user has no permission to push.
        """
        with self._errors_name_branch():
            for path, content in _ADDED_FILES.items():
                if path not in self._entries:
                    oid = self._repository.add_bytes(content)
                    self._entries[path] = git.Entry(git.FILE_MODE, oid)
            tree = self._repository.add_tree(self._entries)
            commit = self._repository.add_commit(tree, self._parent, message)
            committed = self._repository.tree(commit)
            wanted = {path: (fact.size, fact.sha256) for path, fact in shown.items()}
            if wrong := self._differing(wanted, committed):
                raise ToolchainError(
                    f"git stored {min(wrong)} with another content, so nothing was pushed to "
                    f"{self.name}; deploy again"
                )
            self._repository.push(self._address, commit, self._ref)

    @property
    def _repository(self) -> git.Repository:
        if self._opened is None:
            raise RuntimeError("the target is used outside its context")
        return self._opened

    def _differing(
        self, wanted: Mapping[str, tuple[int, str]], entries: Mapping[str, git.Entry]
    ) -> frozenset[str]:
        known = {
            path: entries[path].oid
            for path in wanted
            if path in entries and entries[path].mode == git.FILE_MODE
        }
        with self._errors_name_branch():
            facts = self._repository.facts(known.values())
        return frozenset(
            path
            for path, (size, sha256) in wanted.items()
            if path not in known
            or (facts[known[path]].size, facts[known[path]].sha256) != (size, sha256)
        )

    @contextmanager
    def _errors_name_branch(self) -> Iterator[None]:
        """Turn a failure of git into an error that names this branch."""
        try:
            yield
        except git.GitError as error:
            raise ToolchainError(
                f"git could not deploy to {self.name}: {error}; the site there has not changed"
            ) from error

    def _close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._folder = self._opened = self._parent = None
        self._entries = {}


def origin() -> str:
    """Return the address of the remote `origin` of this folder's checkout.

    Raises:
        BadInputError: This folder is not in a checkout, or the checkout has no `origin`.
        MissingToolError: There is no git.
    """
    found = git.origin()
    if found is None:
        raise BadInputError(
            "this folder has no git remote `origin`; name the repository, as in git:REPOSITORY"
        )
    return found
