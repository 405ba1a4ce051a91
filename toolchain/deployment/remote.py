"""Deploys to a folder of another machine, by rsync over SSH or to an rsync daemon."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from toolchain.deployment.hosts import FOLDER
from toolchain.deployment.target import Item, Target
from toolchain.errors import MissingToolError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from typing_extensions import Self

    from toolchain.site.build_info import FileFact


_SECONDS = 60  # time-out of rsync's connection
_NO_SUCH_FILE = 23  # rsync's exit status if a source is missing
# What a killed rsync leaves: folders of delayed updates, and the temporary file of the file that it
# was writing. Temporary files are recognised only by names with toolchain's digests, so that other
# files are safe.
_LEFT = re.compile(r"(?:^|/)(?:\.~tmp~|\.[^/]+\.[0-9a-f]{16}\.[A-Za-z0-9]+\.[A-Za-z0-9]{6})$")
# Settings that the user's shell may have for other uses: names in another encoding, weak checksums.
_IGNORED = frozenset({"RSYNC_CHECKSUM_LIST", "RSYNC_ICONV", "RSYNC_PARTIAL_DIR"})


class RemoteTarget(Target):
    """Deploys by rsync.

    Args:
        address: An address for rsync: `user@host:/path`, `host::module/path` or `rsync://…`.
            Credentials come from ssh's configuration, or rsync's `RSYNC_RSH`.
    """

    host = FOLDER

    def __init__(self, address: str) -> None:
        self.name = address
        self._root = address.rstrip("/")

    def __enter__(self) -> Self:
        """Check that rsync is installed.

        Raises:
            MissingToolError: It is not.
        """
        if shutil.which("rsync") is None:
            raise MissingToolError(f"deploying to {self.name} needs rsync; install it")
        return self

    def read(self, path: str) -> bytes | None:
        """Return a small file's content, or None if there is no such file."""
        with TemporaryDirectory(prefix="toolchain-") as scratch:
            target = Path(scratch) / "file"
            done = self._rsync("--", f"{self._root}/{path}", str(target))
            if done.returncode == _NO_SUCH_FILE and "No such file" in done.stderr:
                return None
            self._check(done)
            return target.read_bytes()

    def differing(self, items: Sequence[Item]) -> frozenset[str]:
        """Return the paths whose file is missing or differs, by rsync's checksums.

        Files that are not on this machine have no checksum, and are compared by size.
        """
        elsewhere = {item.path: item.size for item in items if item.source is None}
        sizes = self._sizes(elsewhere) if elsewhere else {}
        differing = {path for path, size in elsewhere.items() if sizes.get(path) != size}
        if len(elsewhere) < len(items):
            with TemporaryDirectory(prefix="toolchain-") as scratch:
                _lay_out(items, Path(scratch))
                done = self._rsync(
                    *("--recursive", "--copy-links", "--checksum", "--dry-run", "--mkpath"),
                    *("--out-format=%n", "--", f"{scratch}/", f"{self._root}/"),
                )
                self._check(done)
            differing |= {line for line in done.stdout.splitlines() if not line.endswith("/")}
        return frozenset(differing)

    def _sizes(self, paths: Iterable[str]) -> dict[str, int]:
        """Return the sizes of those of these files that exist there."""
        known = dict(self._listed())
        return {path: known[path] for path in paths if path in known}

    def _listed(self) -> Iterator[tuple[str, int]]:
        """Yield path and size of each file there."""
        done = self._rsync("--list-only", "--recursive", "--", f"{self._root}/")
        self._check(done)
        for line in done.stdout.splitlines():
            # Mode, size, date, time and name; only the name may contain spaces.
            _, size, _, _, name = line.split(maxsplit=4)
            yield name, int(size.replace(",", ""))

    def put(self, items: Sequence[Item], sent: Callable[[int], None]) -> None:
        """Send files; they appear there once all have arrived."""
        if not items:
            return
        with TemporaryDirectory(prefix="toolchain-") as scratch:
            _lay_out(items, Path(scratch))
            done = self._rsync(
                *("--recursive", "--copy-links", "--checksum", "--mkpath", "--delay-updates"),
                *("--chmod=D755,F644", "--", f"{scratch}/", f"{self._root}/"),
            )
            self._check(done)
        sent(sum(item.size for item in items))

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files; missing ones are skipped."""
        self._delete(paths)

    def _delete(self, paths: Sequence[str], *options: str) -> None:
        if not paths:
            return
        with TemporaryDirectory(prefix="toolchain-") as scratch:
            # The folder is empty: rsync deletes files that are named but missing here.
            for path in paths:
                (Path(scratch) / path).parent.mkdir(parents=True, exist_ok=True)
            done = self._rsync(
                *("--delete-missing-args", "--from0", "--files-from=-", *options),
                *("--", f"{scratch}/", f"{self._root}/"),
                # "./" because a line that begins with # or ; would be a comment.
                text="".join(f"./{path}\0" for path in paths),
            )
            self._check(done)

    def finish(self, message: str, shown: Mapping[str, FileFact]) -> None:  # noqa: ARG002 - all is there already
        """Remove temporary files that a killed rsync has left."""
        left = {PurePosixPath(path) for path, _ in self._listed() if _LEFT.search(path)}
        outermost = [str(path) for path in left if left.isdisjoint(path.parents)]
        self._delete(outermost, "--force")  # folders with their content

    def _rsync(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        # Names are passed on byte by byte, whatever the locale can print.
        return subprocess.run(  # noqa: S603
            ["rsync", f"--timeout={_SECONDS}", "--8-bit-output", *arguments],  # noqa: S607
            input=text,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            env={name: value for name, value in os.environ.items() if name not in _IGNORED},
            check=False,
        )

    def _check(self, done: subprocess.CompletedProcess[str]) -> None:
        if done.returncode != 0:
            said = [line for line in done.stderr.splitlines() if line.strip()]
            cause = said[0] if said else f"rsync ended with status {done.returncode}"
            raise ToolchainError(
                f"{self.name} cannot be deployed to: {cause}; fix that and deploy again; "
                "visitors still get the former site"
            )


def _lay_out(items: Iterable[Item], folder: Path) -> None:
    """Make a tree of links to the files, in the layout that they get there."""
    for item in items:
        if item.source is not None:
            link = folder / item.path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(item.source.resolve())
