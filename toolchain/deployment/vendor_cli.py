"""Deploys by the host's own command line: Cloudflare Pages, Netlify.

Both commands take a whole folder, upload what the host lacks, and publish it once everything has
arrived. So a release is prepared in a copy of the site on this machine, like in any folder, and
uploaded at the end. Toolchain's own files are kept beside that folder and are not uploaded.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from abc import abstractmethod
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING
from urllib.parse import quote

from toolchain import tf
from toolchain.deployment.folder import FolderTarget
from toolchain.deployment.hosts import CLOUDFLARE_PAGES, NETLIFY, Host
from toolchain.deployment.mirror import Mirror
from toolchain.deployment.release import PRIVATE
from toolchain.deployment.target import Item
from toolchain.errors import BadInputError, MissingToolError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from toolchain.site.build_info import FileFact

_PUBLIC = "site"
_ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
# How the commands mark the line with the cause; a line after it with two blanks continues it.
_CAUSE = re.compile(r"(?:\[ERROR\]|\b\w*Error:)\s+(?P<said>\S.*)")
_GOES_ON = "  "
_SECRET = re.compile(r"TOKEN|SECRET|PASSWORD|KEY")
_SHORTEST_SECRET = 8


class OwnToolTarget(FolderTarget):
    """Deploys by passing a folder to the host's own command.

    Args:
        host: The kind of host.
        name: The user's word for the target.
        folder: Folder names for this machine's copy.

    The command finds its credentials itself: in environment variables, or from its own login.
    """

    certain = False
    tool: str
    package: str
    """The npm package with the command."""

    def __init__(self, host: Host, name: str, folder: Sequence[str]) -> None:
        super().__init__(Path(), host)
        self.name = name
        self._mirror = Mirror(folder)

    def __enter__(self) -> Self:
        """Begin a draft, a copy of what was last uploaded.

        Raises:
            MissingToolError: The host's command is not installed.
            ToolchainError: Another deploy is running.
        """
        self._command()
        self._root = self._mirror.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Give up the draft."""
        self._mirror.end()

    def finish(self, message: str, shown: Mapping[str, FileFact]) -> None:
        """Check that the folder holds what was built, and upload it.

        Raises:
            BadInputError: Together with the former releases there are too many files.
            ToolchainError: A file is not what was built, or the command failed.
        """
        super().finish(message, shown)
        items = [Item(path, None, fact.size, fact.sha256) for path, fact in shown.items()]
        if wrong := self.differing(items):
            raise ToolchainError(
                f"{min(wrong)} in the copy for {self.name} is not what was built, so nothing was "
                "uploaded; deploy again"
            )
        public = self._root / _PUBLIC
        files = sum(path.is_file() for path in public.rglob("*"))
        if self.host.files is not None and files > self.host.files:
            raise BadInputError(
                f"with the former releases {self.name} would have {files:,} files and "
                f"{self.host.name} takes at most {self.host.files:,}; deploy with a smaller --grace"
            )
        self._run(self._arguments(public, message))
        self._mirror.keep()

    @abstractmethod
    def _arguments(self, folder: Path, message: str) -> list[str]:
        """Return the arguments of the command."""

    def _at(self, path: str) -> Path:
        private = path.split("/", 1)[0] == PRIVATE
        return self._root / path if private else self._root / _PUBLIC / path

    def _command(self) -> str:
        command = shutil.which(self.tool)
        if command is None:
            raise MissingToolError(
                f"deploying to {self.name} needs {self.tool}; `npm install --global {self.package}`"
            )
        return command

    def _run(self, arguments: Sequence[str]) -> None:
        # The commands look for projects and repositories in parent folders; here they find none.
        with TemporaryDirectory(prefix="toolchain-") as empty:
            environment = {
                **os.environ,
                "GIT_CEILING_DIRECTORIES": str(Path(empty).parent),
                "NO_COLOR": "1",
            }
            said = []
            with subprocess.Popen(  # noqa: S603
                [self._command(), *arguments],
                cwd=empty,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                encoding="utf-8",
                errors="replace",
            ) as process:
                for line in process.stdout or ():
                    said.append(_without_secrets(_ANSI.sub("", line)))
                    if os.environ.get(tf.VERBOSE):
                        sys.stderr.write(said[-1])
        if process.returncode != 0:
            raise ToolchainError(
                f"{self.tool} could not deploy to {self.name}: {_cause(said)}; fix that and "
                "deploy again; visitors still get a whole site (--debug shows the whole output)"
            )


class CloudflarePagesTarget(OwnToolTarget):
    """Deploys to a project of Cloudflare Pages.

    Args:
        project: Its name.
        branch: Branch of a preview; empty for the project's own address.
    """

    tool = "wrangler"
    package = "wrangler"

    def __init__(self, project: str, branch: str = "") -> None:
        name = f"cloudflare-pages:{project}" + (f"#{branch}" if branch else "")
        folder = ("cloudflare-pages", quote(f"{project}#{branch}" if branch else project, ""))
        super().__init__(CLOUDFLARE_PAGES, name, folder)
        self._project = project
        self._branch = branch

    def _arguments(self, folder: Path, message: str) -> list[str]:
        branch = [f"--branch={self._branch}"] if self._branch else []
        return [
            *("pages", "deploy", str(folder), f"--project-name={self._project}", *branch),
            f"--commit-message={message}",
        ]


class NetlifyTarget(OwnToolTarget):
    """Deploys to a site of Netlify.

    Args:
        site: Its name or its id.
    """

    tool = "netlify"
    package = "netlify-cli"

    def __init__(self, site: str) -> None:
        super().__init__(NETLIFY, f"netlify:{site}", ("netlify", quote(site, "")))
        self._site = site

    def _arguments(self, folder: Path, message: str) -> list[str]:
        return [
            *("deploy", "--prod", "--no-build", f"--dir={folder}", f"--site={self._site}"),
            f"--message={message}",
        ]


def _cause(said: Sequence[str]) -> str:
    """Return the cause from the command's output, without the hints and log files after it."""
    lines = [line.rstrip() for line in said if line.strip()]
    for line, following in zip(lines, [*lines[1:], ""], strict=True):
        if match := _CAUSE.search(line):
            more = following.strip() if following.startswith(_GOES_ON) else ""
            return ": ".join(part.rstrip(".") for part in (match["said"], more) if part)
    return lines[-1].strip().rstrip(".") if lines else "it did not say why"


def _without_secrets(line: str) -> str:
    for name, value in os.environ.items():
        if _SECRET.search(name) and len(value) >= _SHORTEST_SECRET:
            line = line.replace(value, "***")
    return line
