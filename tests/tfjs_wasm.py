"""Runs TF.js artifacts on TF.js' own WebAssembly backend, in Node."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from toolchain.tfjs_graph import weights as tfjs_weights

if TYPE_CHECKING:
    from collections.abc import Sequence

    Array = np.ndarray[Any, Any]

_MODULES = Path(__file__).parents[1] / "web" / "node_modules"
_SCRIPT = Path(__file__).with_suffix(".mjs")


def outputs(folders: Sequence[Path], images: Array, scratch: Path) -> list[Array | str]:
    """Run models on the same images, all in one process.

    Args:
        folders: Each holds a `model.json` whose weights are not packed, and its shards.
        images: float32 `[n, height, width, 3]`.
        scratch: An existing folder, used to pass the images.

    Returns:
        The outputs of each model, or the message of its error.
    """
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node")
    path = scratch / "images.f32"
    path.write_bytes(images.astype("<f4").tobytes())
    lines = [
        json.dumps({"folder": str(folder), "images": str(path), "shape": images.shape})
        for folder in folders
    ]
    done = subprocess.run(
        [node, str(_SCRIPT), str(_MODULES)],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(answers) == len(folders), done.stderr
    return [
        answer["error"]
        if "error" in answer
        else np.array(answer["values"], np.float64).reshape(answer["shape"])
        for answer in answers
    ]


def unpacked(folder: Path, model_json: str, target: Path) -> Path:
    """Write artifacts with decoded weights into `target`, and return it."""
    model = json.loads((folder / model_json).read_text("utf-8"))
    weights = tfjs_weights.decode_weights(folder, model)
    model.pop("packing", None)
    entries = [
        {"name": name, "shape": list(value.shape), "dtype": str(value.dtype)}
        for name, value in weights.items()
    ]
    target.mkdir()
    data = b"".join(np.ascontiguousarray(value).tobytes() for value in weights.values())
    (target / "all.bin").write_bytes(data)
    model["weightsManifest"] = [{"paths": ["all.bin"], "weights": entries}]
    (target / "model.json").write_text(json.dumps(model), "utf-8")
    return target
