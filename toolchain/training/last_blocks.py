"""The last blocks of a network, which learn or are pruned; those before stay as they are."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import digest
from toolchain.graph import tail as tails
from toolchain.graph.running import OPEN, shapes_of
from toolchain.training import backbone as backbones
from toolchain.training import views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from toolchain.cache.store import Store
    from toolchain.graph.tail import Tail
    from toolchain.progress import Progress
    from toolchain.training.backbone import Backbone
    from toolchain.training.learned import Learned

_FIXED_SHARE = 0.4  # of a cut's weights: those of the blocks before, at most. Chosen
_VIEWS = 6  # of each photo, if memory allows. Chosen
_MOST_BYTES = 400_000_000  # of what the last blocks learn from; chosen


def of(learned: Learned, fixed_share: float = _FIXED_SHARE) -> Tail | None:
    """Return the last blocks of a network, which are to be changed.

    Args:
        learned: The network.
        fixed_share: Of its weights, that the blocks before have at most, if possible.

    Returns:
        None if no block before its features is known.
    """
    taps = learned.base.taps
    most = taps[learned.taps[-1]].parameters
    earlier = [tap for tap in taps[: learned.taps[0] + 1] if not tap.is_pooled]
    earlier = [tap for tap in earlier if tap.parameters < most]
    if not earlier:
        return None
    small = [tap for tap in earlier if tap.parameters <= fixed_share * most]
    source = small[-1] if small else earlier[0]
    targets = [taps[tap].node for tap in learned.taps]
    return tails.find(learned.base.frozen.graph_def, source.node, targets)


def front(base: Backbone, node: str, store: Store, progress: Progress) -> views.Front:
    """Return the blocks before the last ones."""
    return views.Front(backbones.front_of(base, node, store=store, progress=progress), base.input)


def views_for(whole: Tail, learned: Learned, count: int) -> int:
    """Return how many views of each photo fit into memory, at least one."""
    shape = shapes_of(learned.base.frozen.graph_def, {whole.source}).get(whole.source, [])
    size = 2 * int(np.prod([side for side in shape if side != OPEN]))
    return int(np.clip(_MOST_BYTES // max(1, size * count) - 1, 1, _VIEWS))


def with_graph(
    base: Backbone, graph_def: Any, taps: Sequence[int]
) -> tuple[Backbone, tuple[int, ...]]:
    """Return a network with another graph of the same input, and where its features are.

    Args:
        base: The network.
        graph_def: Its new graph, which has the nodes of these taps; others may be gone.
        taps: Indices of the taps whose features are used.

    Returns:
        The network, and the indices of the same taps in it.
    """
    told = digest.of_bytes(graph_def.SerializeToString(deterministic=True))
    there = {node.name for node in graph_def.node}
    wanted = [base.taps[tap] for tap in taps]
    kept = tuple(tap for tap in base.taps[: max(taps) + 1] if tap.node in there)
    changed = replace(
        base,
        sha256=digest.of_json([base.sha256, told]),
        taps=kept,
        frozen=replace(base.frozen, graph_def=graph_def),
    )
    return changed, tuple(kept.index(tap) for tap in wanted)
