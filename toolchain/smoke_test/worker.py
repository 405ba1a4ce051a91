"""Runs a site's own worker in Node on pictures, and returns its answers."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from toolchain.site.page_files import PageFiles

    Array = np.ndarray[Any, Any]

HOST = "worker-host.mjs"
"""The program that stands in for the page; it is stored beside the built runtimes."""
_WATCHDOG = 600  # seconds until Node counts as hung; a picture takes one second at most


@dataclass(frozen=True)
class Tag:
    """A label, by its index, and its score in 0…1."""

    place: int
    score: float


@dataclass(frozen=True)
class Answer:
    """What the page would show for a picture."""

    tags: tuple[Tag, ...]
    """Best first; only the nearest one if the picture shows none of the labels."""
    is_none: bool
    """Whether the picture shows none of the labels."""
    cosine: float | None
    """The greatest cosine of the rule "none of these"; None without the rule."""


def answers(
    node: Path, host: Path, site: Path, model: PageFiles, pictures: Array
) -> tuple[Answer, ...]:
    """Return what the page would show for each picture.

    Args:
        node: The Node to run.
        host: The program that stands in for the page, :data:`HOST`.
        site: The site's folder.
        model: The files of one of its models.
        pictures: uint8 `[n, height, width, 3]`.

    Raises:
        ToolchainError: The worker fails, on the graph or on a picture.
    """
    with TemporaryDirectory(prefix="toolchain-") as name:
        folder = Path(name)
        # The worker's scripts are modules; Node needs to be told so by a package.json.
        (folder / "package.json").write_text('{"type": "module"}', "utf-8")
        shutil.copytree(
            (site / model.worker).parent,
            folder / "assets",
            ignore=lambda _, names: [each for each in names if not each.endswith(".js")],
        )
        order = folder / "order.json"
        order.write_text(
            json.dumps(
                {
                    "worker": str(folder / "assets" / Path(model.worker).name),
                    "wasm": str(site.resolve() / model.wasm),
                    "contract": str(site.resolve() / model.contract),
                    "weights": [str(site.resolve() / each) for each in model.weights],
                    "pictures": [_written(*each, folder) for each in enumerate(pictures)],
                }
            ),
            "utf-8",
        )
        outcome = _run(node, host, order)
    if "failure" in outcome:
        raise ToolchainError(_said(outcome["failure"]))
    return tuple(
        Answer(
            tags=tuple(Tag(tag["classIndex"], tag["score"]) for tag in found["tags"]),
            is_none=any("isNearest" in tag for tag in found["tags"]),
            cosine=found["cosine"],
        )
        for found in outcome["answers"]
    )


def _said(failure: dict[str, Any]) -> str:
    """Return a failure of the worker as a clause; `web/src/messages.ts` lists its fields."""
    if detail := failure.get("detail"):
        return str(detail).rstrip(".")
    rest = {key: value for key, value in failure.items() if key != "code"}
    return f"{failure['code']}: {json.dumps(rest)}" if rest else str(failure["code"])


def _run(node: Path, host: Path, order: Path) -> dict[str, Any]:
    try:
        done = subprocess.run(  # noqa: S603 - our own program
            [node, host, order], capture_output=True, text=True, timeout=_WATCHDOG, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        raise ToolchainError(f"Node cannot run it ({error})") from error
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        said = done.stderr.strip().splitlines() or ["it printed nothing"]
        fault = next((line for line in said if "Error" in line), said[-1])
        raise ToolchainError(fault.strip().rstrip("."))
    found: dict[str, Any] = json.loads(lines[-1])
    return found


def _written(number: int, picture: Array, folder: Path) -> dict[str, Any]:
    """Write a picture as rows of RGBA bytes, and return its entry for `order.json`."""
    height, width, _ = picture.shape
    opaque = np.full((height, width, 1), 255, np.uint8)
    path = folder / f"{number}.rgba"
    path.write_bytes(np.concatenate([picture, opaque], axis=2).tobytes())
    return {"path": str(path), "width": width, "height": height}
