"""Reads a TF.js model as a SavedModel: a graph model of the converter, or a layers model of Keras.

Weights that were quantised become float32 again. The graph of a graph model is only wrapped, and
nothing of it runs here; it is checked as any SavedModel before TensorFlow loads it. The
configuration of a layers model is checked as that of a Keras file.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import frozen_graph, keras_code, keras_file, tfjs_files
from toolchain.formats.format import NOTHING_NAMED, Format, Named
from toolchain.records.card import Declared
from toolchain.tfjs_graph import topology

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.formats.tfjs_files import TfjsFiles

# What makes a layer's weights large.
_SIZES = ("units", "filters", "kernel_size", "depth_multiplier", "output_dim", "input_dim")
_KERAS = "2"  # the version whose configurations TF.js writes and reads


def export(
    path: Path, saved_model: Path, *, trusted: bool = False, named: Named = NOTHING_NAMED
) -> Declared:
    """Write a TF.js model as a SavedModel with the signature `serving_default`.

    Args:
        path: Its `model.json`, or the folder that holds it.
        saved_model: The folder to write; it must not exist.
        trusted: Whether a layers model may run code of its author.
        named: The input and output of a graph model that the user names; they override those that
            the file declares.

    Returns:
        Nothing declared: such a file holds no labels.

    Raises:
        BadInputError: It is not a TF.js model, a weight file is missing or damaged, or it would
            run code of its author.
    """
    found = tfjs_files.read(tfjs_files.place_of(path))
    if found.is_graph:
        _write_graph(found, named, saved_model)
    else:
        _write_layers(found, saved_model, trusted=trusted)
    return Declared()


def foreign_code(path: Path) -> str | None:
    """Return the name of a part that runs code of the file's author when it is loaded, or None.

    Raises:
        BadInputError: It is not a TF.js model.
    """
    found = tfjs_files.read(tfjs_files.place_of(path))
    foreign = None if found.is_graph else keras_code.foreign(found.topology)
    return None if foreign is None else foreign.named


def _write_graph(found: TfjsFiles, named: Named, saved_model: Path) -> None:
    path = found.path
    try:
        values = found.weights()
        graph_def = topology.unfused(found.content, as_page=False)
        _check_constants(path, graph_def, values)
        graph_def = topology.with_values(graph_def, values)
    except BadInputError:
        raise
    except Exception as error:
        # Protobuf's JSON reader and numpy raise many kinds for damaged files.
        said = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
        raise BadInputError(
            f"{path} holds a graph that cannot be read ({said}); convert the model again with "
            "tensorflowjs_converter"
        ) from error
    metadata = found.content.get("userDefinedMetadata")
    inside = metadata.get("signature") if isinstance(metadata, dict) else None
    signature = found.content.get("signature") or inside or {}
    parts = Named(
        input=named.input or _only(signature, "inputs"),
        output=named.output or _only(signature, "outputs"),
    )
    frozen_graph.write(path, graph_def, parts, saved_model)


def _check_constants(path: Path, graph_def: Any, values: dict[str, Any]) -> None:
    """Check that every constant has its numbers; TensorFlow would take zeros for missing ones.

    Raises:
        BadInputError: One has none.
    """
    for node in graph_def.node:
        if node.op != "Const" or node.name in values:
            continue
        fields = node.attr["value"].tensor.ListFields() if "value" in node.attr else ()
        names = [field.name for field, _ in fields]
        if not any(name == "tensor_content" or name.endswith("_val") for name in names):
            raise BadInputError(
                f"{path} holds no numbers for {node.name}; convert the model again with "
                "tensorflowjs_converter"
            )


def _only(signature: Any, side: str) -> str | None:
    """Return the name of a signature's only input or output, or None."""
    entries = signature.get(side) if isinstance(signature, dict) else None
    if not isinstance(entries, dict) or len(entries) != 1:
        return None
    (entry,) = entries.values()
    name = entry.get("name") if isinstance(entry, dict) else None
    return name if isinstance(name, str) else None


def _write_layers(found: TfjsFiles, saved_model: Path, *, trusted: bool) -> None:
    path = found.path
    config = found.topology.get("model_config", found.topology)
    if not trusted and (foreign := keras_code.foreign(config)):
        raise BadInputError(keras_code.refusal(path, foreign, _KERAS))
    values = found.weights()
    _check_sizes(path, config, values)
    tensorflow.load()
    with tensorflow.importing():
        import tf_keras
    try:
        with tensorflow.quiet():
            known = keras_code.custom_objects("tf_keras", trusted=trusted)
            model = tf_keras.models.model_from_json(json.dumps(config), known)
            chosen = [_stored_name(weight.name, values, path) for weight in model.weights]
            if len(set(chosen)) < len(chosen):
                raise BadInputError(
                    f"{path} has two layers of one name; give each a name of its own and save it "
                    "again"
                )
            model.set_weights([values[name] for name in chosen])
            keras_file.write(tf_keras, model, saved_model)
    except BadInputError:
        raise
    except Exception as error:
        # Keras passes on any error of its layers; for the user all mean that it cannot be loaded.
        raise BadInputError(keras_code.loading_fault(path, error, config, _KERAS)) from error


def _check_sizes(path: Path, config: Any, values: dict[str, Any]) -> None:
    """Check that no layer is wider than the largest side of a stored weight.

    Keras would allocate its weights before it sees the stored ones.

    Raises:
        BadInputError: One is.
    """
    largest = max((side for value in values.values() for side in value.shape), default=1)
    for part in keras_code.parts(config):
        for key in _SIZES:
            value = part.get(key)
            for size in value if isinstance(value, list) else [value]:
                if isinstance(size, int | float) and size > max(largest, 1):
                    raise BadInputError(
                        f"{path} has a layer whose {key} is {size:,}, but no stored weight is that "
                        "large; get the files of the model again"
                    )


def _stored_name(name: str, values: dict[str, Any], path: Path) -> str:
    """Return the name under which a weight of Keras is stored.

    Raises:
        BadInputError: The file does not hold it.
    """
    plain = name.partition(":")[0]
    # Keras puts the names of nested models in front.
    for known in (plain, "/".join(plain.split("/")[-2:])):
        if known in values:
            return known
    raise BadInputError(
        f"{path} lacks the weight {plain} of its layers; save it again with `model.save()`"
    )


def _is_one(path: Path) -> bool:
    if path.is_dir():
        return tfjs_files.place_of(path).is_file()
    return path.is_file() and path.name.endswith(FORMAT.suffixes)


FORMAT = Format(
    named="TF.js models",
    suffixes=(".json", *tfjs_files.SCRIPTS),
    recognises=_is_one,
    read=export,
    companions=lambda path: () if path.is_dir() else tfjs_files.files(path),
    foreign_code=foreign_code,
)
