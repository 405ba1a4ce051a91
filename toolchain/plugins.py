"""Plugins: sources of models and deploy targets that other installed distributions bring.

A distribution declares an entry point in one of the two groups below. Its name is the prefix of
the words that it answers for: `hub` answers for `hub:flowers` and `hub://flowers`. Nothing of a
plugin is imported before such a word is given, or `toolchain doctor` asks.
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
    SOURCES: frozenset({"http", "https", "kaggle"}),
    TARGETS: frozenset({"s3", "git", "rsync", "cloudflare-pages", "netlify"}),
}
"""Prefixes of the tool's own; a plugin cannot take them over."""

# Two characters at least: `C:` is a drive.
_PREFIX = re.compile(r"[a-z][a-z0-9+.-]+")


class PluginError(ToolchainError):
    """A plugin cannot be loaded, or does not do what it should."""


@dataclass(frozen=True)
class Plugin:
    """A declared entry point; nothing of it is imported yet."""

    entry_point: EntryPoint

    @property
    def prefix(self) -> str:
        """What the words that it answers for begin with, without the colon."""
        return self.entry_point.name

    @property
    def distribution(self) -> str:
        """Name and version of the distribution that brings it."""
        found = self.entry_point.dist
        return f"{found.name} {found.version}" if found else "an unknown distribution"

    def load(self) -> Any:
        """Import it and return what the entry point names, which is called for each word.

        Raises:
            PluginError: The prefix is not allowed, the import fails, or it cannot be called.
        """
        if not _PREFIX.fullmatch(self.prefix) or self.prefix in RESERVED[self.entry_point.group]:
            raise PluginError(
                f"{self} cannot be used: {self.prefix!r} is a prefix of toolchain's own, or not "
                "two or more of a-z, 0-9, '+', '.' and '-'; update or remove that distribution"
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
        """Name the plugin in whatever its code raises, but for the tool's own errors.

        Args:
            doing: What could not be done then: `be loaded`.

        Raises:
            PluginError: The code raised something else than a ToolchainError.
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
    """Return the plugins of a group, by their prefixes."""
    found = map(Plugin, entry_points(group=group))
    return sorted(found, key=lambda plugin: (plugin.prefix, plugin.distribution))


def answering(group: str, word: str) -> Plugin | None:
    """Return the plugin that answers for a word, None where no plugin does.

    Raises:
        PluginError: More than one distribution brings a plugin with this prefix.
    """
    prefix, colon, _ = word.partition(":")
    if not colon or not _PREFIX.fullmatch(prefix) or prefix in RESERVED[group]:
        return None
    found = [plugin for plugin in installed(group) if plugin.prefix == prefix]
    if len(found) > 1:
        raise PluginError(
            f"{word} is ambiguous: {' and '.join(map(str, found))} both answer for it; "
            "remove one of these distributions"
        )
    return found[0] if found else None
