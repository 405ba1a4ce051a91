"""A base network for training: a model whose features are tapped at several depths."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.cache import fingerprint
from toolchain.evaluation.batches import Network
from toolchain.graph import faults, frozen, image_network, taps
from toolchain.sources import operations, resolve

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from typing import Any

    from toolchain.cache.store import Store
    from toolchain.graph.frozen import Frozen
    from toolchain.graph.taps import Tap
    from toolchain.progress import Progress
    from toolchain.records.card import Declared, InputSpec
    from toolchain.sources.request import Request

_MODEL = "saved_model"


@dataclass(frozen=True)
class Backbone:
    """A base network, without its last layer."""

    name: str
    source: str
    sha256: str
    licence: str
    frozen: Frozen
    """Its whole graph."""
    input: InputSpec
    taps: tuple[Tap, ...]
    """The depths at which it can be cut, from the first to the last."""
    range_note: str | None
    """A sentence for the user if its pixel values are a guess."""

    @property
    def width(self) -> int:
        """Number of features of all taps together."""
        return sum(tap.width for tap in self.taps)

    @property
    def blocks(self) -> int:
        """Number of blocks, up to the last layer."""
        return self.taps[-1].block

    def columns(self, tap: int) -> slice:
        """Return where the features of a tap are in a row of all features."""
        start = sum(each.width for each in self.taps[:tap])
        return slice(start, start + self.taps[tap].width)

    @property
    def key(self) -> str:
        """Digest of everything that its features depend on, besides the photos and the code."""
        return digest.of_json(
            {
                "sha256": self.sha256,
                "input": self.input.model_dump(mode="json"),
                "taps": [tap.node for tap in self.taps],
            }
        )


def read(request: Request, declared: Declared, *, store: Store, progress: Progress) -> Backbone:
    """Fetch a model and find its taps.

    Args:
        request: The model: any that `build` takes, or one that ends with a row of features.
        declared: What the user says of it; it overrides what its source says.
        store: The cache.
        progress: Shows fetching.

    Raises:
        BadInputError: It is not an image network, or does not end with a dense layer.
        ToolchainError: It cannot be fetched.
    """
    from dataclasses import replace

    fetched = resolve.fetch(request, store=store, progress=progress)
    fetched = replace(fetched, declared=declared.over(fetched.declared))
    operations.check(fetched, progress)
    name = fetched.declared.name or fetched.source
    progress.say(f"Reading the graph of {name}")
    with tensorflow.quiet(), faults.of_model(fetched.source):
        network = image_network.read(fetched)
        found = taps.find(network.frozen, fetched.source)
    pixels = network.pixels
    note = None
    if pixels.source == "guessed":
        note = (
            f"the pixel values of {name} are a guess, because {pixels.reason}; override it with "
            "--value-range, --mean, --std and --channels"
        )
    return Backbone(
        name=name,
        source=fetched.source,
        sha256=fetched.sha256,
        licence=fetched.declared.licence or "not stated",
        frozen=network.frozen,
        input=network.input,
        taps=found,
        range_note=note,
    )


def network_of(backbone: Backbone, *, store: Store, progress: Progress) -> Network:
    """Return the network that gives the features of all taps, side by side, for a photo.

    It is kept in the cache as a SavedModel, so that worker processes can load it.
    """
    key = digest.of_json([backbone.key, fingerprint.of(__name__)])

    def make(folder: Path) -> None:
        with tensorflow.quiet():
            graph_def, output = with_features(backbone, range(len(backbone.taps)))
            kept = frozen.Frozen(graph_def, backbone.frozen.input, output)
            frozen.save(kept, folder / _MODEL)
        fingerprint.require_unchanged(__name__)

    folder, _ = store.result(
        "taps",
        key,
        read=lambda entry: entry / _MODEL,
        make=make,
        doing=f"preparing {backbone.name} for features",
        progress=progress,
    )
    return Network(folder.resolve(), None, backbone.sha256, backbone.input, backbone.name)


def front_of(backbone: Backbone, node: str, *, store: Store, progress: Progress) -> Path:
    """Return a SavedModel, `image` → `scores`, of the network up to one of its nodes.

    It is kept in the cache, so that worker processes can load it.

    Args:
        backbone: The network.
        node: Name of the node whose output are the "scores".
        store: The cache.
        progress: Shows what is done.
    """
    tf = tensorflow.load()
    key = digest.of_json([backbone.key, node, fingerprint.of(__name__)])

    def make(folder: Path) -> None:
        with tensorflow.quiet():
            part = tf.compat.v1.graph_util.extract_sub_graph(backbone.frozen.graph_def, [node])
            kept = frozen.Frozen(part, backbone.frozen.input, node)
            frozen.save(kept, folder / _MODEL)
        fingerprint.require_unchanged(__name__)

    folder, _ = store.result(
        "taps",
        key,
        read=lambda entry: entry / _MODEL,
        make=make,
        doing=f"preparing the first blocks of {backbone.name}",
        progress=progress,
    )
    return folder.resolve()


def with_features(backbone: Backbone, wanted: Sequence[int]) -> tuple[Any, str]:
    """Return a graph that ends with the features of some taps, side by side.

    Args:
        backbone: The network.
        wanted: Indices of taps.

    Returns:
        The `GraphDef` of what the features depend on, and the name of its output, float32
        `[n, width]`.
    """
    tf = tensorflow.load()
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(backbone.frozen.graph_def, name="")
        rows = []
        for index in wanted:
            tap = backbone.taps[index]
            value = graph.get_tensor_by_name(f"{tap.node}:0")
            if tap.is_pooled:
                rows.append(value)
            else:
                rows.append(tf.reduce_mean(value, axis=(1, 2), name=f"features/pool_{index}"))
        if len(rows) == 1:
            output = tf.identity(rows[0], name="features/output")
        else:
            output = tf.concat(rows, axis=1, name="features/output")
        whole = graph.as_graph_def()
    return tf.compat.v1.graph_util.extract_sub_graph(whole, [output.op.name]), output.op.name
