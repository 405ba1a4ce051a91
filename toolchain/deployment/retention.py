"""How a deploy changes a host's history, and which old files may be removed.

A file may be removed when all releases that have it are outdated. Releases whose deploy was
interrupted count too, because they have left files: the history keeps them in `coming`, and in
`abandoned` once another release has been deployed instead.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from toolchain.deployment.release import History, Release, Shipped, is_lasting, kept_copy

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime, timedelta

    from toolchain.site.build_info import FileFact


def not_before(history: History, now: datetime) -> datetime:
    """Return `now`, or the latest time in the history if the clock has gone backwards."""
    known = [
        moment
        for each in (*history.releases, *history.abandoned)
        for moment in (each.at, each.until)
        if moment is not None
    ]
    return max([now, *known])


def begun(history: History, release: Release | Shipped, moment: datetime) -> History:
    """Return the history to write before anything of a release is sent.

    An earlier release whose deploy was interrupted becomes abandoned, unless it is this one.
    """
    coming = Shipped(version=release.version, at=moment, files=dict(release.files))
    before = history.coming
    releases, abandoned = history.releases, history.abandoned
    if before is not None and before.version != release.version:
        # Visitors may have seen parts of it until now.
        ended = before.model_copy(update={"until": moment})
        if any(each.version == before.version for each in releases):
            # It was shown at an earlier time, so its copies stay for a rollback.
            releases = tuple(
                each.model_copy(update={"until": moment})
                if each.version == before.version and each.until is not None
                else each
                for each in releases
            )
        else:
            abandoned = (*_without_version(abandoned, before.version), ended)
    return History(
        releases=releases, coming=coming, abandoned=_without_version(abandoned, release.version)
    )


def shown(history: History, moment: datetime) -> History:
    """Return the history once visitors get the release in `coming`; no release is in it twice."""
    if history.coming is None:
        raise RuntimeError("no release is coming")
    former = list(_without_version(history.releases, history.coming.version))
    if former and former[-1].until is None:
        former[-1] = former[-1].model_copy(update={"until": moment})
    return History(releases=(*former, history.coming), abandoned=history.abandoned)


def outdated(history: History, moment: datetime, grace: timedelta) -> list[Shipped]:
    """Return the releases that may be removed: never the present one nor the one before it."""
    return [
        each
        for each in (*history.releases[:-2], *history.abandoned)
        if each.until is not None and each.until + grace <= moment
    ]


def stale(history: History, gone: Sequence[Shipped]) -> set[str]:
    """Return the files that only outdated releases have, without other people's files."""
    staying = [each for each in (*history.releases, *history.abandoned) if each not in gone]
    return (_paths(gone) | _copies(gone)) - _paths(staying) - _copies(staying)


def doubtful(history: History, paths: Iterable[str]) -> list[dict[str, FileFact]]:
    """Return those of these paths that may be other people's files, with the facts of our own.

    An interrupted deploy may not have sent a file whose name has no hash of its content. Then the
    file there is ours only if it has the size and digest that this deploy would have sent.
    """
    wanted = set(paths) - _paths(history.releases)
    return [
        {path: fact for path, fact in each.files.items() if path in wanted and not is_lasting(path)}
        for each in history.abandoned
    ]


def without(history: History, gone: Sequence[Shipped]) -> History:
    """Return the history without the releases whose files were removed."""
    return History(
        releases=tuple(each for each in history.releases if each not in gone),
        abandoned=tuple(each for each in history.abandoned if each not in gone),
    )


def _without_version(releases: Iterable[Shipped], version: str) -> tuple[Shipped, ...]:
    return tuple(each for each in releases if each.version != version)


def _paths(releases: Iterable[Shipped]) -> set[str]:
    return {path for each in releases for path in each.files}


def _copies(releases: Iterable[Shipped]) -> set[str]:
    return {
        kept_copy(each.version, path)
        for each in releases
        for path in each.files
        if not is_lasting(path)
    }
