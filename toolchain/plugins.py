"""Plugins: model sources and deploy targets that other installed distributions provide.

A distribution declares an entry point in one of the two groups below. The entry point's name is
a prefix: the plugin `hub` handles `hub:flowers` and `hub://flowers`. A plugin is imported only
when the user gives a word with its prefix, or when `toolchain doctor` checks it.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any

from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator

SOURCES = "toolchain.sources"
TARGETS = "toolchain.deploy_targets"
RESERVED = {
    SOURCES: frozenset({"http", "https", "kaggle", "hf"}),
    TARGETS: frozenset({"s3", "git", "rsync", "cloudflare-pages", "netlify"}),
}
"""Prefixes that the tool itself uses; a plugin cannot take them over."""

# At least two characters: `C:` is a drive.
_PREFIX = re.compile(r"[a-z][a-z0-9+.-]+")


class PluginError(ToolchainError):
    """A plugin cannot be loaded, or does not work as it should."""


@dataclass(frozen=True)
class Plugin:
    """A declared entry point; its code is not imported yet."""

    entry_point: EntryPoint

    @property
    def prefix(self) -> str:
        """The prefix of the words that the plugin handles, without the colon."""
        return self.entry_point.name

    @property
    def distribution(self) -> str:
        """Name and version of the distribution that provides it."""
        found = self.entry_point.dist
        return f"{found.name} {found.version}" if found else "an unknown distribution"

    def load(self) -> Any:
        """Import the plugin and return its callable, which is called for each word.

        Raises:
            PluginError: The prefix is not allowed, the import fails, or the object is not callable.
        """
        if not _PREFIX.fullmatch(self.prefix) or self.prefix in RESERVED[self.entry_point.group]:
            raise PluginError(
                f"{self} cannot be used: {self.prefix!r} is a prefix that toolchain uses itself, "
                "or not two or more of a-z, 0-9, '+', '.' and '-'; "
                "update or remove that distribution"
            )
        with self.running("be loaded"):
            loaded = self.entry_point.load()
        if not callable(loaded):
            raise PluginError(
                f"{self} cannot be used: {self.entry_point.value} cannot be called; "
                "update or remove that distribution"
            )
        return loaded

    @contextmanager
    def running(self, doing: str) -> Iterator[None]:
        """Name the plugin in every error of its code except a ToolchainError.

        Args:
            doing: What failed, to follow "the plugin could not": `be loaded`.

        Raises:
            PluginError: The code raised anything but a ToolchainError.
        """
        try:
            yield
        except ToolchainError:
            raise
        except (Exception, SystemExit) as error:
            raise PluginError(
                f"{self} could not {doing} ({type(error).__name__}: {error}); "
                "update or remove that distribution"
            ) from error

    def __str__(self) -> str:
        return f"the plugin {self.prefix!r} of {self.distribution}"


def installed(group: str) -> list[Plugin]:
    """Return the plugins of a group, sorted by prefix."""
    found = map(Plugin, entry_points(group=group))
    return sorted(found, key=lambda plugin: (plugin.prefix, plugin.distribution))


def answering(group: str, word: str) -> Plugin | None:
    """Return the plugin that handles a word; None if no plugin does.

    Raises:
        PluginError: More than one distribution provides a plugin with this prefix.
    """
    prefix, colon, _ = word.partition(":")
    if not colon or not _PREFIX.fullmatch(prefix) or prefix in RESERVED[group]:
        return None
    found = [plugin for plugin in installed(group) if plugin.prefix == prefix]
    if len(found) > 1:
        raise PluginError(
            f"{word} is ambiguous: {' and '.join(map(str, found))} both handle it; "
            "remove one of these distributions"
        )
    return found[0] if found else None
