"""TF.js models as others have them: of TF.js' own layers, with fused operations, in JavaScript."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_ROOT = Path(__file__).parents[1]
_SCRIPT = Path(__file__).with_name("teachable_model.mjs")
LABELS = ("Hot dog", "Not hot dog", "Ümlaut")
SIDE = 32


def teachable(folder: Path) -> Path:
    """Write what Teachable Machine exports for TF.js, and return the folder."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("needs Node")
    command = [node, str(_SCRIPT), str(_ROOT / "web" / "node_modules"), str(folder), str(SIDE)]
    subprocess.run([*command, *LABELS], check=True)
    return folder


def layers_model(**changes: Any) -> dict[str, Any]:
    """Return a tiny layers model's `model.json`; its weights have 60 bytes in `weights.bin`."""
    pooling = {"class_name": "GlobalAveragePooling2D", "config": {"name": "pooled"}}
    dense = {"class_name": "Dense", "config": {"name": "d", "units": 5, "use_bias": False}}
    shape = {"batch_input_shape": [None, 8, 8, 3]}
    pooling["config"] |= shape  # type: ignore[operator]
    topology = {
        "class_name": "Sequential",
        "config": {"name": "s", "layers": [pooling, dense]},
        "keras_version": "tfjs-layers 4.22.0",
    }
    entry = {"name": "d/kernel", "shape": [3, 5], "dtype": "float32"}
    manifest = [{"paths": ["weights.bin"], "weights": [entry]}]
    return {"modelTopology": topology, "weightsManifest": manifest} | changes


def graph_model() -> dict[str, Any]:
    """Return a tiny graph model's `model.json`; its weights have 43 bytes in `weights.bin`."""

    def node(name: str, op: str, *inputs: str, **attr: Any) -> dict[str, Any]:
        return {"name": name, "op": op, "input": list(inputs), "attr": attr}

    kind = {"type": "DT_FLOAT"}
    sides = [{"size": str(side)} for side in (-1, 8, 8, 3)]
    steps = {"list": {"s": [base64.b64encode(step).decode() for step in (b"BiasAdd", b"Relu6")]}}
    nodes = [
        node("image", "Placeholder", dtype=kind, shape={"shape": {"dim": sides}}),
        *(node(name, "Const", "^image", dtype=kind) for name in ("kernel", "bias")),
        node("axes", "Const", dtype={"type": "DT_INT32"}),
        node("mean", "Mean", "image", "axes", T=kind, Tidx={"type": "DT_INT32"}),
        node(
            *("fused", "_FusedMatMul", "mean", "kernel", "bias"),
            T=kind,
            fused_ops=steps,
            num_args={"i": "1"},
        ),
        node("scores", "Softmax", "fused", T=kind),
    ]
    step = {"min": -0.5, "scale": 0.004, "dtype": "uint8"}
    weights = [
        {"name": "kernel", "shape": [3, 5], "dtype": "float32", "quantization": step},
        {"name": "bias", "shape": [5], "dtype": "float32"},
        {"name": "axes", "shape": [2], "dtype": "int32"},
    ]
    return {
        "modelTopology": {"node": nodes, "versions": {"producer": 1882}},
        "weightsManifest": [{"paths": ["weights.bin"], "weights": weights}],
        "signature": {
            "inputs": {"photo": {"name": "image:0", "dtype": "DT_FLOAT"}},
            "outputs": {"scores": {"name": "scores:0", "dtype": "DT_FLOAT"}},
        },
    }


def graph_weights() -> bytes:
    """Return weights of that model with which its scores differ."""
    kernel = np.random.default_rng(3).integers(0, 256, 15, np.uint8).tobytes()
    bias = np.linspace(0, 1, 5, dtype="<f4").tobytes()
    return kernel + bias + np.array([1, 2], "<i4").tobytes()


def write(folder: Path, model: Any, weights: bytes = bytes(60)) -> Path:
    """Write a `model.json` and its weights, and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.json").write_text(json.dumps(model))
    (folder / "weights.bin").write_bytes(weights)
    return folder


def as_scripts(folder: Path, target: Path) -> Path:
    """Write a model's files as an npm package wraps them, minified."""
    target.mkdir()
    model = json.loads((folder / "model.json").read_text())
    wrap = (
        "!function(e){{module.exports=e()}}({{1:[function(n,a,t){{a.exports={}}},{{}}]}},{{}},[1]);"
    )
    literal = json.dumps(model, separators=(",", ":"))
    literal = literal.replace('"modelTopology":', "modelTopology:").replace("true", "!0")
    literal = literal.replace("false", "!1").replace(":0.", ":.")
    (target / "model.min.js").write_text(wrap.format(literal))
    for group in model["weightsManifest"]:
        for path in group["paths"]:
            text = base64.b64encode((folder / path).read_bytes()).decode()
            (target / f"{path}.min.js").write_text(wrap.format(f'"{text}"'))
    return target
