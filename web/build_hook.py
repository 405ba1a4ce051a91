"""Builds the page's runtime when a wheel or source archive is made without it."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class WebBuildHook(BuildHookInterface):  # type: ignore[type-arg]
    """Sees that `web/dist` is there before files are collected."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:  # noqa: ARG002
        """Run the web build, unless it has run or the install is editable."""
        web = Path(self.root) / "web"
        if version == "editable" or (web / "dist" / "runtime.json").is_file():
            return
        npm = shutil.which("npm")
        if npm is None:
            raise RuntimeError(
                "the page's runtime is not built and there is no npm to build it with; "
                "install Node 20.19 or newer, or build with `make wheel`"
            )
        for command in (("ci",), ("run", "build")):
            subprocess.run((npm, *command), cwd=web, check=True)  # noqa: S603
