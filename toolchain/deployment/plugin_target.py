"""Targets of plugins: any error in a plugin's code names the plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from toolchain.deployment.target import Item, Target
from toolchain.plugins import Plugin, PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

    from typing_extensions import Self

    from toolchain.site.build_info import FileFact


class TargetFactory(Protocol):
    """An entry point of the group `toolchain.deploy_targets`, such as a subclass of `Target`."""

    def __call__(self, word: str, /) -> Target:
        """Return the target for the user's word, prefix included.

        Raises:
            BadInputError: The word is not valid; the message is one sentence for the user.
        """


class PluginTarget(Target):
    """Wraps the target of a plugin and passes every call on to it.

    Raises:
        PluginError: The plugin cannot be loaded or does not return a target. Every method also
            raises it if the plugin's code raises anything but a ToolchainError.
    """

    def __init__(self, plugin: Plugin, word: str) -> None:
        factory: TargetFactory = plugin.load()
        self._running = plugin.running
        with self._running(f"open {word}"):
            self._own = factory(word)
        if not isinstance(self._own, Target):
            raise PluginError(
                f"{plugin} returned {type(self._own).__name__} for {word}, not a Target; "
                "update or remove that distribution"
            )
        with self._running(f"describe {word}"):
            self.host, self.name, self.certain = self._own.host, self._own.name, self._own.certain

    def __enter__(self) -> Self:
        with self._running(f"reach {self.name}"):
            self._own.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._running(f"leave {self.name}"):
            self._own.__exit__(kind, error, traceback)

    def read(self, path: str) -> bytes | None:
        """Return a small file's content, or None if there is no such file."""
        with self._running(f"read {path}"):
            return self._own.read(path)

    def differing(self, items: Sequence[Item]) -> frozenset[str]:
        """Return the paths whose file is missing or differs at the target."""
        with self._running(f"compare {self.name}"):
            return self._own.differing(items)

    def put(self, items: Sequence[Item], sent: Callable[[int], None]) -> None:
        """Send files, each completely or not at all."""
        with self._running(f"send to {self.name}"):
            self._own.put(items, sent)

    def remove(self, paths: Sequence[str]) -> None:
        """Remove files; missing ones are skipped."""
        with self._running(f"remove from {self.name}"):
            self._own.remove(paths)

    def finish(self, message: str, shown: Mapping[str, FileFact]) -> None:
        """Make the changes take effect, if they have not already."""
        with self._running(f"finish {self.name}"):
            self._own.finish(message, shown)
