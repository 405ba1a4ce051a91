"""Builds the page's runtime when a wheel or source archive is made without it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Puts the templates and the built runtime into wheels, building the runtime if need be."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """See that `web/dist` is there, and say where it goes; an editable install has both."""
        if version == "editable":
            return
        web = Path(self.root) / "web"
        if not (web / "dist" / "runtime.json").is_file():
            _build(web)
        if self.target_name == "wheel":
            build_data["force_include"].update(
                {"templates": "toolchain/site/templates", "web/dist": "toolchain/site/runtime"}
            )


def _build(web: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise RuntimeError(
            "the page's runtime is not built and there is no npm to build it with; "
            "install Node 20.19 or newer, or build with `make wheel`"
        )
    for command in (("ci",), ("run", "build")):
        subprocess.run((npm, *command), cwd=web, check=True)  # noqa: S603
