"""Deploys a site to a host, and rolls it back.

Files with a hash of their content in the name are sent first, the page last. Files that the host
already has are not sent. Everything sent is checked before the page is sent. So an interrupted
deploy leaves the old site whole, and deploying again continues where it stopped.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain.deployment import limits, retention
from toolchain.deployment.release import (
    HISTORY,
    History,
    Release,
    Shipped,
    is_lasting,
    is_page,
    kept_copy,
    of_site,
    read_history,
)
from toolchain.deployment.target import Item
from toolchain.errors import BadInputError, ToolchainError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from toolchain.deployment.target import Target
    from toolchain.progress import Progress

GRACE: timedelta = timedelta(days=7)
"""How long files of a release stay after another release has replaced it."""


@dataclass(frozen=True)
class Outcome:
    """The result of a deploy, or of a dry run."""

    version: str
    sent: Mapping[str, int]
    """Bytes of each file that was sent, by its path."""
    kept: Mapping[str, int]
    """Bytes of each file that was already there, by its path."""
    removed: Sequence[str]


def deploy(
    site: Path,
    target: Target,
    *,
    progress: Progress,
    dry_run: bool = False,
    with_report: bool = False,
    grace: timedelta = GRACE,
    now: datetime | None = None,
) -> Outcome:
    """Deploy a site to a target.

    Args:
        site: The built site.
        target: The target.
        progress: Advances with each byte sent.
        dry_run: Whether to change nothing and only return what would be done.
        with_report: Whether to include `report.json` and `report.html`.
        grace: How long files of releases before the former one stay.
        now: Time of the deploy; by default the machine's.

    Raises:
        BadInputError: There is no site, or it exceeds a limit of the host.
        ToolchainError: The target cannot be used. Visitors get a whole site, old or new.
    """
    release = of_site(site, target.host, with_report=with_report)
    limits.check(target.host, release)
    with target:
        history = read_history(target.read(HISTORY))
        moment = retention.not_before(history, now or datetime.now(timezone.utc))
        items = {path: _item(release, path) for path in release.files}
        differing = target.differing(list(items.values()))
        during = retention.begun(history, release, moment)
        after = retention.shown(during, moment)
        outdated = retention.outdated(after, moment, grace)
        stale = _removable(target, after, retention.stale(after, outdated))
        outcome = Outcome(
            version=release.version,
            sent={path: item.size for path, item in items.items() if path in differing},
            kept={path: item.size for path, item in items.items() if path not in differing},
            removed=[path for path in stale if not path.startswith(".")],
        )
        shown = history.releases[-1].version if history.releases else None
        unchanged = shown == release.version and not differing and history.coming is None
        if dry_run or (unchanged and not outdated and target.certain):
            return outcome
        with (
            TemporaryDirectory(prefix="toolchain-") as scratch,
            progress.track("Sending", sum(outcome.sent.values()), "bytes") as tracker,
        ):
            mover = _Mover(target, Path(scratch), tracker.advance)
            lasting, entries, page = (
                [items[path] for path in paths if path in differing]
                for paths in (release.lasting, release.entries, release.page)
            )
            # Files that the history does not list would never be removed. So it lists a release
            # before its first file is sent, and until its last file is removed.
            mover.write(during)
            mover.bring(lasting)
            mover.bring(
                [_copy(items[path], release) for path in (*release.entries, *release.page)],
                counted=False,
            )
            mover.bring(entries)
            mover.bring(page)
            mover.write(after)
            if outdated:
                target.remove(stale)
                mover.write(retention.without(after, outdated))
            target.finish(f"Deploy {release.version}", release.files)
    return outcome


def rollback(
    target: Target, *, progress: Progress, dry_run: bool = False, now: datetime | None = None
) -> Outcome:
    """Restore the release before the present one.

    Raises:
        BadInputError: There is no former release.
        ToolchainError: Files of it are gone, or the target cannot be used.
    """
    with target:
        history = read_history(target.read(HISTORY))
        if len(history.releases) < 2:  # noqa: PLR2004 - the present and a former one
            raise BadInputError(
                f"{target.name} has no former release; deploy the site you want to show"
            )
        moment = retention.not_before(history, now or datetime.now(timezone.utc))
        *_, former, _ = history.releases
        entries = [path for path in former.files if not is_lasting(path)]
        outcome = Outcome(
            version=former.version,
            sent={path: former.files[path].size for path in entries},
            kept={path: fact.size for path, fact in former.files.items() if is_lasting(path)},
            removed=[],
        )
        with (
            TemporaryDirectory(prefix="toolchain-") as scratch,
            progress.track("Restoring", len(entries)) as tracker,
        ):
            mover = _Mover(target, Path(scratch), lambda _: tracker.advance(1))
            restored = [mover.fetched(former, path) for path in entries]
            gone = target.differing(
                [_expected(former, path) for path in former.files if is_lasting(path)]
            )
            if gone:
                raise ToolchainError(
                    f"{target.name} no longer has {min(gone)} of release {former.version}; "
                    "build that site again and deploy it"
                )
            if dry_run:
                return outcome
            during = retention.begun(history, former, moment)
            mover.write(during)
            mover.bring([item for item in restored if not is_page(item.path)])
            mover.bring([item for item in restored if is_page(item.path)])
            mover.write(retention.shown(during, moment))
            target.finish(f"Roll back to {former.version}", former.files)
    return outcome


class _Mover:
    """Sends files to a target and checks that they arrived."""

    def __init__(self, target: Target, scratch: Path, sent: Callable[[int], None]) -> None:
        self._target = target
        self._scratch = scratch
        self._sent = sent

    def bring(self, items: Sequence[Item], *, counted: bool = True) -> None:
        """Send files, in any order, and check that all of them arrived."""
        self._target.put(items, self._sent if counted else lambda _: None)
        if missing := self._target.differing(items):
            raise ToolchainError(
                f"{min(missing)} did not arrive at {self._target.name} unchanged; deploy again"
            )

    def write(self, history: History) -> None:
        """Write the target's history."""
        content = history.model_dump_json(indent=1).encode()
        file = self._scratch / "history.json"
        file.write_bytes(content)
        item = Item(HISTORY, file, len(content), digest.of_bytes(content))
        self._target.put([item], lambda _: None)

    def fetched(self, release: Shipped, path: str) -> Item:
        """Return a file of a former release from the target's copy."""
        content = self._target.read(kept_copy(release.version, path))
        fact = release.files[path]
        if content is None or digest.of_bytes(content) != fact.sha256:
            raise ToolchainError(
                f"{self._target.name} no longer has {path} of release {release.version}; build "
                "that site again and deploy it"
            )
        file = self._scratch / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        return Item(path, file, fact.size, fact.sha256)


def _item(release: Release, path: str) -> Item:
    fact = release.files[path]
    return Item(path, release.site / path, fact.size, fact.sha256)


def _copy(item: Item, release: Release) -> Item:
    """Return the copy of a file that the target keeps for a rollback."""
    return replace(item, path=kept_copy(release.version, item.path))


def _expected(release: Shipped, path: str) -> Item:
    """Return a file that should be at the target but is not on this machine."""
    fact = release.files[path]
    return Item(path, None, fact.size, fact.sha256)


def _removable(target: Target, history: History, stale: set[str]) -> list[str]:
    """Return the stale files, without other people's files that only bear the same names."""
    ours: set[str] = set()
    unknown: set[str] = set()
    for files in retention.doubtful(history, stale):
        items = [Item(path, None, fact.size, fact.sha256) for path, fact in files.items()]
        unknown |= files.keys()
        ours |= files.keys() - (target.differing(items) if items else frozenset())
    return sorted(stale - (unknown - ours))
