"""Leaves out blocks and channels of a network, and fits what follows them by least squares.

Which channels stay is told by how much their loss would cost after the others have made up for it,
as in optimal brain surgeon (Hassibi and Stork 1993). The convolution behind them is fitted to give
what it gave before, on the photos, as Y. He et al. 2017 (arXiv:1707.06168) do; a block that is left
out is made up for by the convolutions behind it in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import tf as tensorflow
from toolchain.executors import use_one_thread
from toolchain.graph import tail as tails
from toolchain.graph.blocks import Blocks, Chain, without
from toolchain.graph.running import function_to
from toolchain.training import tail_fitting

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.graph.tail import Tail

    Array = np.ndarray[Any, Any]

MAPS, GRAPH, WANTED = "maps.npy", "graph.pb", "wanted.npz"
_ROWS = 10_000  # positions in photos to fit by, at most. Chosen
_RIDGE = 1e-3  # of the mean square of a channel. Chosen
_CHUNK = 64  # photos at once


@dataclass(frozen=True)
class Plan:
    """What is left out."""

    blocks: int
    """How many residual blocks, the last ones."""
    share: float
    """Of the channels between two layers."""

    def stay(self, chain: Chain) -> int:
        """Return how many channels of a chain stay."""
        return max(1, round((1 - self.share) * chain.channels))


@dataclass(frozen=True)
class Job:
    """One fit, in a process of its own."""

    folder: Path
    """Where the network is, what it takes, and what its convolutions gave."""
    source: str
    targets: tuple[str, ...]
    plan: Plan
    used: Array
    """Indices of the photos to fit by."""
    is_kept: bool
    """Whether the graph is wanted, not only its features."""


def prepare(folder: Path, whole: Tail, maps: Array) -> None:
    """Write what jobs read: the network, what it takes, and what its convolutions give.

    Args:
        folder: An empty folder.
        whole: The blocks, with nothing left out.
        maps: What they take, float16 `[photos, …]`.
    """
    np.save(folder / MAPS, maps)
    (folder / GRAPH).write_bytes(whole.graph_def.SerializeToString())
    wanted: dict[str, Array] = {}
    values, at = maps, whole.source
    chains = Blocks(whole.graph_def, whole.source, whole.targets).chains()
    for chain in chains:
        values, at = _run(whole.graph_def, at, chain.start, values), chain.start
        wanted[chain.end] = _some(_run(whole.graph_def, at, chain.end, values))
    np.savez(folder / WANTED, **{name.replace("/", "|"): each for name, each in wanted.items()})


def run(job: Job) -> tuple[Array, bytes]:
    """Leave out what a plan says, and fit.

    Returns:
        The features of all photos, float32 `[photos, width]`, and the new graph if it is wanted.
    """
    use_one_thread()
    with tensorflow.quiet():
        tf = tensorflow.load()
        graph_def = tf.compat.v1.GraphDef.FromString((job.folder / GRAPH).read_bytes())
        maps = np.load(job.folder / MAPS, mmap_mode="r")
        with np.load(job.folder / WANTED) as stored:
            wanted = {name.replace("|", "/"): stored[name] for name in stored.files}
        residuals = Blocks(graph_def, job.source, job.targets).residuals()
        graph_def = without(graph_def, residuals[len(residuals) - job.plan.blocks :])
        blocks = Blocks(graph_def, job.source, job.targets)
        values, at = maps, job.source
        for chain in blocks.chains():
            values, at = _run(graph_def, at, chain.start, values), chain.start
            given = _some(_run(graph_def, at, chain.middle, values))
            changed = _fitted(
                blocks,
                chain,
                given[job.used].reshape(-1, given.shape[-1]).astype(np.float32),
                wanted[chain.end][job.used].reshape(len(job.used) * given.shape[1], -1),
                job.plan.stay(chain),
            )
            graph_def = tails.with_constants(graph_def, changed)
        rest = tails.find(graph_def, at, job.targets)
        rows = tail_fitting.features(rest, {}, values)
        return rows, graph_def.SerializeToString() if job.is_kept else b""


def parameters(whole: Tail, plan: Plan) -> int:
    """Return how many weights the blocks have with a plan."""
    residuals = Blocks(whole.graph_def, whole.source, whole.targets).residuals()
    graph_def = without(whole.graph_def, residuals[len(residuals) - plan.blocks :])
    sizes = {
        name: each.size
        for name, each in tails.find(graph_def, whole.source, whole.targets).weights.items()
    }
    for chain in Blocks(graph_def, whole.source, whole.targets).chains():
        for name in (chain.first, chain.depthwise, chain.last):
            sizes[name] = sizes[name] // chain.channels * plan.stay(chain)
    return sum(sizes.values())


def _run(graph_def: Any, source: str, target: str, values: Array) -> Array:
    """Return what a node gives for all photos, float16 `[photos, …]`."""
    if source == target:
        return values
    run = function_to(graph_def, source, (target,))
    limit = float(np.finfo(np.float16).max)
    return np.concatenate(
        [
            np.clip(run(values[at : at + _CHUNK].astype(np.float32))[0], -limit, limit).astype(
                np.float16
            )
            for at in range(0, len(values), _CHUNK)
        ]
    )


def _some(values: Array) -> Array:
    """Return the values at some positions of each photo, `[photos, positions, channels]`."""
    flat = values.reshape(len(values), -1, values.shape[-1])
    each = min(flat.shape[1], max(1, _ROWS // len(flat)))
    # Others in each photo; the same for what is given and what is wanted.
    random = np.random.default_rng(flat.shape[1])
    places = np.argsort(random.random(flat.shape[:2]), axis=1)[:, :each]
    found: Array = np.take_along_axis(flat, places[..., None], axis=1)
    return found


def _fitted(
    blocks: Blocks, chain: Chain, given: Array, wanted: Array, stay: int
) -> dict[str, Array]:
    """Choose the channels of a chain that stay, and fit its last convolution.

    Args:
        blocks: The graph.
        chain: The chain.
        given: What its last convolution takes, `[rows, channels]`.
        wanted: What the convolution gave in the whole network, `[rows, outputs]`.
        stay: How many channels stay.

    Returns:
        The new constants by the names of their nodes.
    """
    gram = (given.T @ given).astype(np.float64) / len(given)
    shared = (given.T @ wanted.astype(np.float32)).astype(np.float64) / len(given)
    start = blocks.kernel_of(chain.last)[0, 0].astype(np.float64)
    ridge = _RIDGE * max(float(np.trace(gram)) / len(gram), 1e-12)
    damped = gram + ridge * np.eye(len(gram))
    inverse = np.linalg.inv(damped)
    whole = inverse @ (shared + ridge * start)
    cost = (whole**2).sum(axis=1) / np.diag(inverse)
    kept = np.sort(np.argsort(-cost, kind="stable")[:stay])
    fitted = np.linalg.solve(damped[np.ix_(kept, kept)], shared[kept] + ridge * start[kept])
    return blocks.pruned(chain, kept, fitted)
