"""A TF.js graph model on disk: describes its files, and names them after their content.

The format is that of TF.js: `model.json` with the graph's topology and a manifest of weight files
(`tfjs-core`, `src/io/types.ts`).
"""

from __future__ import annotations

import json
from collections import Counter
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toolchain import digest
from toolchain.records.artifacts import Artifacts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.records.card import Activation

HASH_DIGITS = 16
"""Hex digits of a content hash in a file name: 64 bits, which rules out accidental collisions."""


def name_after_content(name: str, content: bytes) -> str:
    """Return `stem.<hash>.suffix` for a file name and its content."""
    path = Path(name)
    return f"{path.stem}.{digest.of_bytes(content)[:HASH_DIGITS]}{path.suffix}"


def seal(folder: Path, activation: Activation) -> Artifacts:
    """Rename the shards, then `model.json`, after their content, in place.

    `model.json` contains the shards' names, so its hash covers them too: a page that asks for one
    `model.json` can never get the weights of another build.
    """
    model = json.loads((folder / "model.json").read_text("utf-8"))
    shards: list[str] = []
    weight_bytes = 0
    for group in model["weightsManifest"]:
        named = []
        for shard in group["paths"]:
            content = (folder / shard).read_bytes()
            weight_bytes += len(content)
            named.append(name_after_content(shard, content))
            (folder / shard).rename(folder / named[-1])
        group["paths"] = named
        shards += named
    # The converter writes keys in no fixed order.
    text = json.dumps(model, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    model_json = name_after_content("model.json", text)
    (folder / model_json).write_bytes(text)
    (folder / "model.json").unlink()
    return describe(model, model_json, tuple(shards), weight_bytes, activation)


def describe(
    model: dict[str, Any],
    model_json: str,
    shards: tuple[str, ...],
    weight_bytes: int,
    activation: Activation,
) -> Artifacts:
    """Return the facts about a parsed `model.json`."""
    weights = [weight for group in model["weightsManifest"] for weight in group["weights"]]
    return Artifacts(
        model_json=model_json,
        shards=shards,
        weight_bytes=weight_bytes,
        activation=activation,
        tensors=len(weights),
        parameters=sum(prod(weight["shape"]) for weight in weights if weight["dtype"] == "float32"),
        memory_bytes=sum(4 * prod(weight["shape"]) for weight in weights),
        ops=dict(sorted(Counter(node["op"] for node in _nodes(model)).items())),
        dtypes=dict(
            sorted(
                Counter(weight.get("quantization", weight)["dtype"] for weight in weights).items()
            )
        ),
    )


def _nodes(model: dict[str, Any]) -> Iterator[dict[str, Any]]:
    topology = model["modelTopology"]
    yield from topology["node"]
    for function in topology.get("library", {}).get("function", ()):
        yield from function.get("nodeDef", ())
