"""Deploys to a folder of this machine, such as one that a web server serves."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from tempfile import mkstemp
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.deployment.hosts import FOLDER, Host
from toolchain.deployment.target import Item, Target
from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolchain.site.build_info import FileFact

_MODE = 0o644  # so that a web server can read the files
_PART = ".toolchain-part-"


class FolderTarget(Target):
    """Deploys into a folder; files that this tool did not put there stay."""

    def __init__(self, root: Path, host: Host = FOLDER) -> None:
        self.host = host
        self.name = str(root)
        self._root = root

    def read(self, path: str) -> bytes | None:
        """Return a file's content, or None if there is no such file."""
        try:
            return self._at(path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._fault(path, error) from error

    def differing(self, items: Sequence[Item]) -> frozenset[str]:
        """Return the paths whose file is missing or differs."""
        return frozenset(item.path for item in items if not self._has(item))

    def put(self, items: Sequence[Item], sent: Callable[[int], None]) -> None:
        """Copy files, each under a temporary name that is then changed to its own."""
        for item in items:
            if item.source is None:
                continue
            target = self._at(item.path)
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                handle, name = mkstemp(prefix=_PART, dir=target.parent)
                try:
                    with item.source.open("rb") as source, os.fdopen(handle, "wb") as part:
                        shutil.copyfileobj(source, part)
                        part.flush()
                        os.fsync(part.fileno())
                    Path(name).chmod(_MODE)
                    Path(name).replace(target)
                except BaseException:
                    Path(name).unlink(missing_ok=True)
                    raise
            except OSError as error:
                raise self._fault(item.path, error) from error
            sent(item.size)

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files, and folders that become empty by it."""
        for path in paths:
            target = self._at(path)
            target.unlink(missing_ok=True)
            for folder in target.parents:
                if folder == self._root or not folder.is_dir() or any(folder.iterdir()):
                    break
                folder.rmdir()

    def finish(self, message: str, shown: Mapping[str, FileFact]) -> None:  # noqa: ARG002 - all is there already
        """Remove temporary files that a killed deploy has left."""
        for part in self._root.rglob(f"{_PART}*"):
            part.unlink(missing_ok=True)

    def _at(self, path: str) -> Path:
        return self._root / path

    def _has(self, item: Item) -> bool:
        target = self._at(item.path)
        try:
            return (
                target.is_file()
                and target.stat().st_size == item.size
                and digest.of_file(target) == item.sha256
            )
        except OSError as error:
            raise self._fault(item.path, error) from error

    def _fault(self, path: str, error: OSError) -> ToolchainError:
        return ToolchainError(
            f"{self._at(path)} cannot be used: {error.strerror}; fix that and deploy again; "
            "visitors still get the former site"
        )
