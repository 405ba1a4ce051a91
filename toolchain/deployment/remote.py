"""A folder of another machine, by rsync over SSH or from an rsync daemon."""

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


_SECONDS = 60  # that rsync may hear nothing
_NO_SUCH_FILE = 23  # rsync's exit status where a source is missing
# What rsync leaves when it is killed: folders of files whose updates were delayed, and the file
# that it was just writing. Only of names that hold this tool's digests that is sure to be one.
_LEFT = re.compile(r"(?:^|/)(?:\.~tmp~|\.[^/]+\.[0-9a-f]{16}\.[A-Za-z0-9]+\.[A-Za-z0-9]{6})$")
# What the user's shell may set for other uses: names in another encoding, weaker checksums.
_IGNORED = frozenset({"RSYNC_CHECKSUM_LIST", "RSYNC_ICONV", "RSYNC_PARTIAL_DIR"})


class RemoteTarget(Target):
    """Deploys by rsync.

    Args:
        address: What rsync takes: `user@host:/path`, `host::module/path` or `rsync://…`. How
            to log in is for ssh's own configuration, or rsync's `RSYNC_RSH`.
    """

    host = FOLDER

    def __init__(self, address: str) -> None:
        self.name = address
        self._root = address.rstrip("/")

    def __enter__(self) -> Self:
        """See that there is an rsync.

        Raises:
            MissingToolError: There is none.
        """
        if shutil.which("rsync") is None:
            raise MissingToolError(f"deploying to {self.name} needs rsync; install it")
        return self

    def read(self, path: str) -> bytes | None:
        """Return a small file's content, or None where there is none."""
        with TemporaryDirectory(prefix="toolchain-") as scratch:
            target = Path(scratch) / "file"
            done = self._rsync("--", f"{self._root}/{path}", str(target))
            if done.returncode == _NO_SUCH_FILE and "No such file" in done.stderr:
                return None
            self._check(done)
            return target.read_bytes()

    def differing(self, items: Sequence[Item]) -> frozenset[str]:
        """Return the paths at which there is no file or another one, by rsync's checksums.

        Of files that are not here there is no checksum; those are compared by size.
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
        """Return the size of each of these files that is there."""
        known = dict(self._listed())
        return {path: known[path] for path in paths if path in known}

    def _listed(self) -> Iterator[tuple[str, int]]:
        """Give path and size of what is there."""
        done = self._rsync("--list-only", "--recursive", "--", f"{self._root}/")
        self._check(done)
        for line in done.stdout.splitlines():
            # Mode, size, date, time and name, of which only the name may hold spaces.
            _, size, _, _, name = line.split(maxsplit=4)
            yield name, int(size.replace(",", ""))

    def put(self, items: Sequence[Item], sent: Callable[[int], None]) -> None:
        """Send files; each appears there when all have come."""
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
        """Remove files; those that are not there are passed over."""
        self._delete(paths)

    def _delete(self, paths: Sequence[str], *options: str) -> None:
        if not paths:
            return
        with TemporaryDirectory(prefix="toolchain-") as scratch:
            # No file lies here: rsync takes away there what is named and missing.
            for path in paths:
                (Path(scratch) / path).parent.mkdir(parents=True, exist_ok=True)
            done = self._rsync(
                *("--delete-missing-args", "--from0", "--files-from=-", *options),
                *("--", f"{scratch}/", f"{self._root}/"),
                # What begins with # or ; would be a comment.
                text="".join(f"./{path}\0" for path in paths),
            )
            self._check(done)

    def finish(self, message: str, shown: Mapping[str, FileFact]) -> None:  # noqa: ARG002 - all is there already
        """Remove what a killed rsync has written and not put in its place."""
        left = {PurePosixPath(path) for path, _ in self._listed() if _LEFT.search(path)}
        outermost = [str(path) for path in left if left.isdisjoint(path.parents)]
        self._delete(outermost, "--force")  # folders with what is in them

    def _rsync(self, *arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
        # Names go as they are, whatever the locale can print.
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
            cause = said[0] if said else f"rsync left with status {done.returncode}"
            raise ToolchainError(
                f"{self.name} cannot be deployed to: {cause}; mend that and deploy again, "
                "what was shown until now still stands"
            )


def _lay_out(items: Iterable[Item], folder: Path) -> None:
    """Lay links to files out as they shall lie there."""
    for item in items:
        if item.source is not None:
            link = folder / item.path
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(item.source.resolve())
