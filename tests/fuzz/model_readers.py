"""Model files in every format that is read, and how they are damaged."""

from __future__ import annotations

import importlib.util
import io
import json
import zipfile
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import strategies as st

from tests.fuzz import damage, lite_graphs, onnx_graphs
from tests.fuzz.archive_readers import zip_of
from tests.fuzz.reader import Reader, Strategy, in_file
from tests.fuzz.saved_models import field, graph, node
from toolchain.formats import (
    exported_settings,
    frozen_graph,
    keras_file,
    onnx_file,
    onnx_model,
    tfjs_files,
    tflite_call,
    tflite_file,
    tflite_metadata,
)
from toolchain.formats.format import Named, UnsupportedError
from toolchain.sources import operations, saved_model, torch_checkpoint

if TYPE_CHECKING:
    from pathlib import Path

_NUMBERS = np.arange(24, dtype="<f4")
_CONFIG = {
    "module": "keras",
    "class_name": "Sequential",
    "config": {
        "name": "s",
        "layers": [
            {
                "module": "keras.layers",
                "class_name": "InputLayer",
                "config": {"batch_shape": [None, 8, 8, 3], "name": "i", "dtype": "float32"},
            },
            {
                "module": "keras.layers",
                "class_name": "Rescaling",
                "config": {"scale": 0.003, "offset": 0.0, "name": "r"},
            },
            {
                "module": "keras.layers",
                "class_name": "Conv2D",
                "registered_name": None,
                "config": {
                    "filters": 2,
                    "kernel_initializer": {
                        "module": "keras.initializers",
                        "class_name": "GlorotUniform",
                        "config": {"seed": None},
                    },
                },
            },
        ],
    },
}
_METADATA = b'{"keras_version": "3.5.0", "date_saved": "2025-01-01@00:00:00"}'


@lru_cache
def _weights(*, version: str = "earliest") -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w", libver=version) as file:
        file.attrs["keras_version"] = "3.5.0"
        file.attrs["model_config"] = json.dumps(_CONFIG)
        group = file.create_group("layers/conv")
        group.create_dataset("0", data=_NUMBERS)
        group.create_dataset("1", data=_NUMBERS, chunks=(8,), compression="gzip")
        group["again"] = group["0"]
    return buffer.getvalue()


def _keras_zips() -> Strategy:
    def packed(config: bytes, metadata: bytes, weights: bytes) -> bytes:
        names = ("config.json", "metadata.json", "model.weights.h5")
        parts = dict(zip(names, (config, metadata, weights), strict=True))
        return zip_of(parts, zipfile.ZIP_STORED)

    inside = st.builds(
        packed,
        damage.json_like(_CONFIG),
        st.one_of(st.just(_METADATA), damage.bytes_like(_METADATA)),
        st.just(_weights()),
    )
    return st.one_of(
        inside, damage.bytes_like(packed(json.dumps(_CONFIG).encode(), _METADATA, b""))
    )


def _look_at_keras(path: Path) -> None:
    keras_file.foreign_code(path)
    if fault := keras_file.content_fault(path):
        assert "\n" not in fault


def _graphs() -> Strategy:
    return damage.bytes_like(
        graph(
            [
                node("weights", "Const", sizes=(3, 4)),
                node("out", "StatefulPartitionedCall", "weights:0", "^image", calls="f"),
                node("save", "SaveV2", "weights"),
            ],
            {"f": [node("a", "MatMul", calls="g")], "g": [node("b", "Relu")]},
            objects="f",
        )
    )


def _read_graph(path: Path) -> None:
    if saved_model.fault(path.parent) is None:
        operations.fault_of(path.read_bytes())


def _guarded_graph(content: bytes, folder: Path) -> None:
    path = folder / saved_model.GRAPH
    path.write_bytes(content)
    (folder / "variables").mkdir()
    (folder / "variables" / "variables.index").write_bytes(b"1")
    (folder / "variables" / "variables.data-00000-of-00001").touch()
    if saved_model.fault(folder) is None:
        fetched = saved_model.Fetched(folder, "0" * 64, "fuzzed")
        from toolchain.progress import Silent

        operations.check(fetched, Silent())


def _frozen_graphs() -> Strategy:
    nodes = [
        node("photo", "Placeholder"),
        node("weights", "Const", sizes=(3, 4)),
        node("product", "MatMul", "photo", "weights:0"),
        node("scores", "Softmax", "product", "^weights"),
    ]
    return damage.bytes_like(field(1, *nodes))


def _read_frozen_graph(path: Path) -> None:
    """Wrap the graph, with names and without, and check the result as a SavedModel."""
    saved = path.with_name("model")
    frozen_graph.export(path, saved, named=Named(input="product", output="scores"))
    operations.fault_of((saved / saved_model.GRAPH).read_bytes())
    again = path.with_name("model-by-kinds")
    frozen_graph.export(path, again)
    operations.fault_of((again / saved_model.GRAPH).read_bytes())


_TFJS = {
    "format": "graph-model",
    "modelTopology": {"node": [{"name": "photo", "op": "Placeholder"}]},
    "packing": {"schema": 1, "encoding": "gzip", "scales": [0.5]},
    "weightsManifest": [
        {
            "paths": ["one.bin", "below/two.bin"],
            "weights": [
                {"name": "a", "shape": [2, 1], "dtype": "float32"},
                {
                    "name": "b",
                    "shape": [3],
                    "dtype": "float32",
                    "quantization": {"dtype": "uint8", "scale": 0.1, "min": -1.0},
                },
            ],
        }
    ],
}


def _look_at_tfjs(path: Path) -> None:
    """Read the manifest, and decode the weights of files that are there."""
    (path.parent / "below").mkdir(exist_ok=True)
    (path.parent / "one.bin").write_bytes(bytes(8))
    (path.parent / "below" / "two.bin").write_bytes(bytes(3))
    tfjs_files.names(path)
    tfjs_files.read(path).weights()


def _tfjs_scripts() -> Strategy:
    """Return what npm packages wrap in JavaScript: the model, or its weights."""
    wrap = "!function(e){module.exports=e()}({1:[function(n,a,t){a.exports=%s},{}]},{},[1]);"
    literal = json.dumps(_TFJS).replace('"dtype":', "dtype:").replace("0.5", ".5")
    return damage.bytes_like((wrap % literal).encode(), (wrap % '"AAAAAAAAAAAAAAA="').encode())


def _look_at_tfjs_script(path: Path) -> None:
    """Read the same script as a model and as weights."""
    path.with_name("one.bin.min.js").write_bytes(path.read_bytes())
    (path.parent / "below").mkdir(exist_ok=True)
    (path.parent / "below" / "two.bin.js").write_text("export default 'AAAA'")
    tfjs_files.read(path).weights()


def _checkpoints() -> Strategy:
    from tests.test_torch_checkpoint import Checkpoint, Storage, tensor

    one, other = Storage("7", _NUMBERS), Storage("8", np.array([3], "<i8"), "LongStorage")
    state = {"a": tensor(one, 0, (2, 3, 4), (12, 4, 1)), "b": tensor(other, 0, (), ())}
    return damage.bytes_like(Checkpoint(state, [one, other]).to_bytes())


_SETTINGS = {
    "id2label": {"0": "a", "1": "b"},
    "label_names": ["a", "b"],
    "pretrained_cfg": {
        "mean": [0.5, 0.5, 0.5],
        "std": [0.2, 0.2, 0.2],
        "input_size": [3, 8, 8],
        "crop_pct": 0.9,
    },
}


def _onnx_files() -> Strategy:
    from tests.test_onnx import network

    model = network("residual")
    whole = model.SerializeToString()
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    for key, value in {"location": "m.onnx", "offset": "0"}.items():
        tensor.external_data.add(key=key, value=value)
    return damage.bytes_like(whole, model.SerializeToString())


def _read_onnx(path: Path) -> None:
    onnx_model.companions(path)
    onnx_file.weights(path)


def _lite_files() -> Strategy:
    from tests.tflite_files import metadata, small

    told = metadata([127.5], [127.5])
    labels = zip_of({"labels.txt": b"a\nb\nc\nd\ne"}, zipfile.ZIP_STORED)
    whole = small(metadata=told).to_bytes() + labels
    integers = small(kind="INT8", scale=0.1, zero_point=3, metadata=told).to_bytes()
    return damage.bytes_like(whole, integers)


def _read_lite(path: Path) -> None:
    """Read the structure, the weights, and what the file tells; nothing of the graph runs."""
    graph = tflite_file.parsed(path)
    try:
        for tensor in graph.tensors:
            if tensor.bytes is not None:
                tflite_call.numbers_of(tensor)
        tflite_metadata.declared(path, graph, 0, next(iter(graph.outputs.values())))
    except UnsupportedError:
        pass


READERS: dict[str, Reader] = {
    "model-settings": Reader(
        lambda: damage.json_like(_SETTINGS), in_file("config.json", exported_settings.beside)
    ),
    "keras-zip": Reader(_keras_zips, in_file("m.keras", _look_at_keras)),
    "keras-hdf5": Reader(
        lambda: damage.bytes_like(_weights(), _weights(version="latest")),
        in_file("m.h5", _look_at_keras),
    ),
    "saved-model": Reader(_graphs, _guarded_graph),
    "tfjs": Reader(
        lambda: damage.json_like(
            _TFJS, {name: part for name, part in _TFJS.items() if name != "packing"}
        ),
        in_file("model.json", _look_at_tfjs),
    ),
    "tfjs-script": Reader(_tfjs_scripts, in_file("model.min.js", _look_at_tfjs_script)),
    "frozen-graph": Reader(_frozen_graphs, in_file("mine.pb", _read_frozen_graph)),
    "tflite": Reader(_lite_files, in_file("m.tflite", _read_lite)),
    "tflite-graph": Reader(lite_graphs.contents, in_file("m.tflite", lite_graphs.read)),
    "torch": Reader(_checkpoints, in_file("model.pth", torch_checkpoint.read)),
}
if importlib.util.find_spec("onnx"):
    READERS["onnx"] = Reader(_onnx_files, in_file("m.onnx", _read_onnx))
    READERS["onnx-graph"] = Reader(onnx_graphs.contents, in_file("m.onnx", onnx_graphs.read))
