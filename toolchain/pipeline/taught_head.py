"""`toolchain build --head`: puts the last layer that a visitor has taught onto a model."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.cache import fingerprint
from toolchain.errors import BadInputError
from toolchain.graph import faults, features, image_network
from toolchain.records.card import Declared
from toolchain.sources import operations
from toolchain.sources.saved_model import Fetched
from toolchain.text import printable
from toolchain.training import export, taught_tags

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.graph.image_network import ImageNetwork
    from toolchain.progress import Progress
    from toolchain.training.taught_tags import TaughtTags

_MODEL, _INPUT = "saved_model", "input.json"


def with_head(fetched: Fetched, path: Path, *, store: Store, progress: Progress) -> Fetched:
    """Return a model with the last layer of a file that a page has exported.

    Args:
        fetched: The model that the page had, with the user's declarations.
        path: The file.
        store: The cache.
        progress: Shows what is done.

    Raises:
        BadInputError: The file cannot be read, or was taught with another model.
    """
    head = taught_tags.read(path)
    if head.model_sha256 != fetched.sha256:
        raise BadInputError(
            f"{path} was taught with another model, {printable(head.model)}, than "
            f"{fetched.source}; name the model of the page it comes from with --model"
        )
    if len(head.tags) == 1:
        raise BadInputError(
            f"{path} has one tag only, {printable(head.tags[0])}, so every photo would get it; "
            "teach a second one, and export again"
        )
    operations.check(fetched, progress)
    # The head's labels take the place of the model's.
    plain = replace(
        fetched,
        declared=fetched.declared.model_copy(
            update=dict.fromkeys(("labels", "label_notes", "label_offset", "none_of_these"))
        ),
    )
    key = digest.of_json([head.sha256, _facts(fetched), fingerprint.of(__name__)])

    def make(folder: Path) -> None:
        progress.say(f"Putting the tags of {path} onto {fetched.source}")
        with tensorflow.quiet(), faults.of_model(fetched.source):
            network = image_network.read(plain)
            _write(network, head, folder / _MODEL, path, fetched.source)
            content = _declared_by(network, plain).model_dump_json(exclude_none=True)
            (folder / _INPUT).write_text(content, "utf-8")
        fingerprint.require_unchanged(__name__)

    kept, _ = store.result(
        "taught",
        key,
        read=lambda entry: (
            entry / _MODEL,
            Declared(**json.loads((entry / _INPUT).read_text("utf-8"))),
        ),
        make=make,
        doing=f"putting the tags of {path} onto {fetched.source}",
        progress=progress,
    )
    saved, input_ = kept
    name = plain.declared.name or fetched.source
    return Fetched(
        path=saved,
        sha256=digest.of_tree(saved),
        source=f"{fetched.source} with taught tags",
        declared=Declared(
            name=f"{path.stem} on {name}",
            licence=plain.declared.licence,
            labels=head.tags,
            task="single-label",
            none_of_these=head.rule,
        ).over(input_),
        prepared_by=fingerprint.of(__name__),
    )


def _facts(fetched: Fetched) -> dict[str, object]:
    return {
        "sha256": fetched.sha256,
        "prepared": fetched.prepared_by,
        "declared": fetched.declared.model_dump(mode="json"),
    }


def _write(network: ImageNetwork, head: TaughtTags, folder: Path, path: Path, name: str) -> None:
    """Write the network with the layer as a SavedModel.

    Raises:
        BadInputError: It has no features, or another number of them.
    """
    tf = tensorflow.load()
    frozen = network.frozen
    node = features.name_in(frozen)
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(frozen.graph_def, name="")
        found = None if node is None else graph.get_tensor_by_name(f"{node}:0")
        if found is None or found.shape.rank is None or found.shape[-1] != head.width:
            raise BadInputError(
                f"{name} does not have the {head.width} features that {path} was taught with; "
                "name the model of the page it comes from with --model"
            )
        row = tf.reshape(found, (-1, head.width), name="taught/features")
        whole = graph.as_graph_def()
    part = tf.compat.v1.graph_util.extract_sub_graph(whole, [row.op.name])
    features_of = export.FeatureGraph(part, frozen.input, row.op.name)
    export.write(features_of, export.Layer(head.kernel, head.bias), "single-label", folder)


def _declared_by(network: ImageNetwork, plain: Fetched) -> Declared:
    """Return how photos become the network's input, and what is guessed of that."""
    spec, pixels = network.input, network.pixels
    notes = plain.declared.notes or ()
    if pixels.source == "guessed":
        guess = (
            f"the pixel values of {plain.source} are a guess, because {pixels.reason}; override "
            "it with --value-range, --mean, --std and --channels"
        )
        notes = (*notes, guess)
    return Declared(
        height=spec.height,
        width=spec.width,
        value_range=spec.value_range,
        mean=spec.mean,
        std=spec.std,
        channels=spec.channels,
        crop_fraction=spec.crop_fraction,
        notes=notes or None,
    )
