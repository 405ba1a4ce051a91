"""A branch of a git repository that a host publishes, such as `gh-pages`.

The release is one commit, pushed at the end, so the host shows the old site or the new one.
Work is done in a clone of that branch alone; no checkout of the user's is touched.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

from toolchain.deploy.folder import FolderTarget
from toolchain.deploy.hosts import GITHUB_PAGES
from toolchain.errors import BadInputError, MissingToolError, ToolchainError

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

BRANCH = "gh-pages"
# Else GitHub Pages runs Jekyll, which leaves out what begins with an underscore or a dot.
_NO_JEKYLL = ".nojekyll"
_AUTHOR = ("-c", "user.name=toolchain", "-c", "user.email=toolchain@localhost")


class BranchTarget(FolderTarget):
    """Deploys to a branch.

    Args:
        repository: Whatever `git clone` takes.
        branch: Made, without the history of others, where there is none.
    """

    def __init__(self, repository: str, branch: str = BRANCH) -> None:
        self._clone = Path(mkdtemp(prefix="toolchain-git-"))
        super().__init__(self._clone, GITHUB_PAGES)
        self.name = f"branch {branch} of {repository}"
        # Git is told of it from within the clone too.
        here = Path(repository)
        self._repository = str(here.resolve()) if here.exists() else repository
        self._branch = branch

    def __enter__(self) -> Self:
        """Clone the branch.

        Raises:
            MissingToolError: There is no git.
            ToolchainError: The repository cannot be reached.
        """
        heads = self._git("ls-remote", "--heads", self._repository, self._branch)
        if heads.strip():
            self._git(
                *("clone", "--quiet", "--depth", "1", "--single-branch"),
                *("--branch", self._branch, self._repository, str(self._clone)),
            )
        else:
            self._git("init", "--quiet", "--initial-branch", self._branch, str(self._clone))
            self._git("-C", str(self._clone), "remote", "add", "origin", self._repository)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Remove the clone."""
        shutil.rmtree(self._clone, ignore_errors=True)

    def finish(self, message: str) -> None:
        """Commit and push.

        Raises:
            ToolchainError: Somebody else has pushed meanwhile, or one may not push.
        """
        super().finish(message)
        (self._clone / _NO_JEKYLL).touch()
        here = ("-C", str(self._clone))
        # A user's ignore rules are about their sources, not about this site.
        self._git(*here, "add", "--all", "--force", ".")
        self._git(*here, *_AUTHOR, "commit", "--quiet", "--message", message)
        self._git(*here, "push", "--quiet", "origin", f"HEAD:refs/heads/{self._branch}")

    def _git(self, *arguments: str) -> str:
        done = _git(*arguments)
        if done.returncode != 0:
            cause = done.stderr.strip().splitlines() or ["it did not say why"]
            raise ToolchainError(
                f"git could not deploy to {self.name}: {cause[-1]}; the site there is as it was"
            )
        return done.stdout


def origin() -> str:
    """Return the repository that this folder's checkout came from.

    Raises:
        BadInputError: This folder is in no checkout, or that has no `origin`.
        MissingToolError: There is no git.
    """
    done = _git("remote", "get-url", "origin")
    if done.returncode != 0:
        raise BadInputError(
            "this folder has no git remote `origin`; name the repository, as in git:REPOSITORY"
        )
    return done.stdout.strip()


def _git(*arguments: str) -> subprocess.CompletedProcess[str]:
    git = shutil.which("git")
    if git is None:
        raise MissingToolError("deploying to a branch needs git; install it")
    return subprocess.run(  # noqa: S603
        [git, *arguments], capture_output=True, text=True, check=False
    )
