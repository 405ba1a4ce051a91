"""The lock file `toolchain.lock.json`: the digest of each model at its first fetch.

A server may send another model for the same handle later. With the pinned digest, every later
build, on any machine, either uses the same model or fails.
"""

from __future__ import annotations

import json
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolchain import disk, lock, text
from toolchain.errors import BadInputError, PinMismatchError
from toolchain.records.card import first_fault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FILE_NAME = "toolchain.lock.json"
_SHOWN = 12  # hex digits of a digest in messages


class _Pin(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


class _LockFile(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    layout: Literal[1] = Field(default=1, alias="schema")
    models: dict[str, _Pin] = Field(default_factory=dict)


@dataclass(frozen=True)
class Lockfile:
    """The pins of one lock file."""

    path: Path

    @classmethod
    def load(cls, path: Path) -> Lockfile:
        """Return the lock file at `path`, which may not exist yet.

        Raises:
            BadInputError: The file exists and is not a lock file.
        """
        _read(path)
        return cls(path)

    def get(self, handle: str) -> str | None:
        """Return the SHA-256 pinned for a canonical handle, or None.

        Raises:
            BadInputError: The file has become unreadable.
        """
        pin = _read(self.path).models.get(handle)
        return None if pin is None else pin.sha256

    def check_or_pin(self, handle: str, sha256: str, *, update: bool = False) -> None:
        """Compare a digest with the pinned one, or pin it if there is none.

        Args:
            handle: The canonical handle.
            sha256: Digest of what was fetched.
            update: Whether to replace another pinned digest.

        Raises:
            PinMismatchError: Another digest is pinned, and `update` is not set.
            BadInputError: The lock file cannot be read or written.
        """
        if self.get(handle) == sha256:
            return
        with self._locked():
            # Read again: another process may have added a pin in the meantime.
            known = _read(self.path)
            pinned = known.models.get(handle)
            if pinned is not None and pinned.sha256 != sha256 and not update:
                raise PinMismatchError(
                    f"checksum mismatch: {handle} came with SHA-256 {sha256[:_SHOWN]}…, but "
                    f"{self.path.name} pins {pinned.sha256[:_SHOWN]}…; if you want the new model, "
                    f"run `toolchain pull {handle} --update-pin`"
                )
            _write(self.path, {**known.models, handle: _Pin(sha256=sha256)})

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the file's lock, which works between processes with different caches too."""
        with ExitStack() as stack:
            try:
                stack.enter_context(lock.beside(self.path))
            except OSError as error:
                raise _unwritable(self.path, error) from error
            yield


def _read(path: Path) -> _LockFile:
    try:
        content = json.loads(text.read(path))
        return _LockFile.model_validate(content)
    except FileNotFoundError:
        return _LockFile()
    except ValidationError as error:  # before ValueError, its base class
        reason = first_fault(error)
    except (OSError, ValueError, RecursionError) as error:
        reason = str(error)
    raise BadInputError(
        f"{path} is not a lock file of this tool: {reason}; restore it from version control, "
        "or delete it to pin all models again"
    )


def _write(path: Path, models: dict[str, _Pin]) -> None:
    content = {
        "schema": 1,
        "models": {handle: models[handle].model_dump() for handle in sorted(models)},
    }
    target = path.resolve()  # so that a link stays a link
    beside = target.with_name(f".{target.name}.new")
    try:
        beside.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", "utf-8")
        beside.replace(target)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> BadInputError:
    otherwise = "make its folder writable or name another with --lock-file"
    return BadInputError(disk.sentence(path, error, otherwise))
