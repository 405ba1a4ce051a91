"""Each ONNX operator that is translated, in many forms, against onnxruntime.

`TOOLCHAIN_TEST_ONNX` names a folder of exports: then each of its files is compared too.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import onnx_model
from toolchain.formats.format import Named

onnx = pytest.importorskip("onnx", reason="the extra toolchain[onnx] is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

_EXPORTS = os.environ.get("TOOLCHAIN_TEST_ONNX")
_RANDOM = np.random.default_rng(5)
# The operators read `x` [1, 4, 6, 6], `r` [1, 4, 9] and fixed numbers by name; the result is `y`.
_FIXED: dict[str, Any] = {
    "ones": np.ones(4, "f"),
    "four": _RANDOM.normal(size=4).astype("f"),
    "slope": _RANDOM.uniform(0.1, 0.4, (4, 1, 1)).astype("f"),
    "third": _RANDOM.normal(size=(4, 1, 3)).astype("f"),
    "groups": _RANDOM.normal(size=(8, 2, 3, 3)).astype("f"),
    "each": _RANDOM.normal(size=(4, 1, 3, 3)).astype("f"),
    "half": np.float32(0.5),
    "minus": np.float32(-0.5),
    "square": np.array([6, 6]),
    "one": np.array([1]),
    "axes": np.array([2, 3]),
    "backwards": np.array([-1]),
    "least": np.array([-(1 << 40)]),
    "last": np.array([3]),
    "pads": np.array([0, 0, 1, 2, 0, 0, 2, -1]),
    "sizes": np.array([1, 4, 9, 4]),
    "scales": np.array([1, 1, 2, 1.5], "f"),
    "three": np.array([3, 1]),
    "two": np.array([2, 2]),
    "shuffled": np.array([1, 2, 2, 6, 6]),
    "image": np.array([1, 4, 6, 6]),
    "windows": np.array([-1, 3, 4]),
    "zero": np.array(0),
    "bytes": _RANDOM.integers(-9, 9, (6, 6)).astype(np.int8),
    "lesser": np.array([1, 2, 3, 4]),
    "lengths": _RANDOM.uniform(0.1, 0.2, 6).astype("f"),
    "yes": np.array([True, False, True, True, False, True]),
}
# By name: the nodes as `output operator inputs`, and attributes of the first.
_CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "depthwise, uneven steps": ("y Conv x each", {"group": 4, "strides": [2, 1]}),
    "steps and dilation": (
        "y Conv x groups",
        {"group": 2, "strides": [2, 2], "dilations": [2, 2], "pads": [2, 2, 2, 2]},
    ),
    "same, lower": ("y Conv x groups", {"group": 2, "strides": [2, 2], "auto_pad": "SAME_LOWER"}),
    "row": ("y Conv r third", {"group": 4, "pads": [1, 1]}),
    "ceil maximum": (
        "y MaxPool x",
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1, "pads": [0, 0, 0, 0]},
    ),
    "ceil average": (
        "y AveragePool x",
        {"kernel_shape": [2, 3], "strides": [4, 2], "ceil_mode": 1, "pads": [1, 1, 0, 1]},
    ),
    "average with padding": (
        "y AveragePool x",
        {"kernel_shape": [3, 3], "pads": [1, 1, 1, 1], "count_include_pad": 1},
    ),
    "huge window": (
        "y AveragePool x",
        {"kernel_shape": [50, 50], "strides": [50, 50], "ceil_mode": 1},
    ),
    "one of two": ("y MaxPool x", {"kernel_shape": [1, 1], "strides": [2, 2]}),
    "locally": ("y LRN x", {"size": 3, "alpha": 0.1}),
    "padded": ("y Pad x pads half", {}),
    "reflected": ("y Pad x pads", {"mode": "reflect"}),
    "edges": ("y Pad x pads", {"mode": "edge"}),
    "linear": ("y Resize x  scales", {"mode": "linear"}),
    "corners": (
        "y Resize x   sizes",
        {"mode": "linear", "coordinate_transformation_mode": "align_corners"},
    ),
    "nearest": (
        "y Resize x  scales",
        {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"},
    ),
    "cubic": ("y Resize x   sizes", {"mode": "cubic"}),
    "slopes": ("y PRelu x slope", {}),
    "instance": ("y InstanceNormalization x four ones", {}),
    "layer": ("a LayerNormalization x lengths;y Add a half", {}),
    "length": ("y LpNormalization x", {"axis": 1}),
    "soft": ("y LogSoftmax x", {"axis": 1}),
    "shuffle": ("a Reshape x shuffled;b Transpose a;y Reshape b image", {}),
    "windows": ("a Reshape x windows;b Softmax a;y Reshape b image", {}),
    "split": ("a,b Split x;y Sub a b", {"axis": 1, "num_outputs": 2}),
    "uneven": ("a,b Split x three;c Concat a b a;y Relu c", {"axis": 1}),
    "backwards": ("y Slice x last least last backwards", {}),
    "picked": ("y Gather x two", {"axis": 2}),
    "only": ("y Gather x zero", {"axis": 2}),
    "smallest": ("a Min x half;b Max a minus;y Mean b x x", {}),
    "where": ("y Where yes x half", {}),
    "greater": ("a Greater x half;y Where a x minus", {}),
    "length by axes": ("y ReduceL2 x axes", {}),
    "everything": ("y ReduceLogSumExp x", {}),
    "highest": ("y ReduceMax x one", {"keepdims": 0}),
    "summed": ("y CumSum x zero", {"reverse": 1}),
    "depth": ("y DepthToSpace x", {"blocksize": 2, "mode": "CRD"}),
    "space": ("a SpaceToDepth x;y Neg a", {"blocksize": 2}),
    "letters": ("y Einsum x x", {"equation": "bchw,bcwv->bhv"}),
    "weights of bytes": ("w DequantizeLinear bytes lengths;y MatMul x w", {"axis": 0}),
    "mish": ("a Softplus x;b Tanh a;c Mul x b;d Elu c;e Selu d;y Softsign e", {}),
    "celu": ("y Celu x", {"alpha": 0.7}),
    "hard": ("a HardSwish x;b HardSigmoid a;y Clip b minus half", {}),
    "shape": ("s Shape x;f ConstantOfShape s;y Add x f", {}),
    "repeated": ("s Shape x;d Div s lesser;m Mod d lesser;t Sub s m;y Tile x d", {}),
}
_MORE: dict[str, dict[str, Any]] = {
    "Transpose": {"perm": [0, 2, 1, 3, 4]},
    "Concat": {"axis": 1},
    "Softmax": {"axis": -1},
}


def _network(*cases: str) -> Any:
    """Return a model that computes the cases; each has an output of its name."""
    from onnx import TensorProto, helper, numpy_helper

    node, value = helper.make_node, helper.make_tensor_value_info
    nodes = [
        node("Conv", ["photo", "seen"], ["x"], strides=[2, 2]),
        node("Slice", ["x", "start", "stop", "axes"], ["part"]),
        node("Reshape", ["part", "row"], ["r"]),
    ]
    fixed = _FIXED | {
        "seen": _RANDOM.normal(size=(4, 3, 2, 2)).astype("f"),
        "row": np.array([1, 4, 9]),
        "start": np.array([0, 0]),
        "stop": np.array([3, 3]),
    }
    for case in cases:
        text, attributes = _CASES[case]
        lines = [line.split(" ") for line in text.split(";")]
        own = {name for outputs, *_ in lines for name in outputs.split(",")}
        for at, (outputs, kind, *inputs) in enumerate(lines):
            more = attributes if at == 0 else _MORE.get(kind, {})
            read = [f"{case} {name}" if name in own else name for name in inputs]
            made = [f"{case} {name}" for name in outputs.split(",")]
            nodes.append(node(kind, read, made, **more))
        nodes.append(node("Flatten", [f"{case} y"], [f"of {case}"]))
    used = {name for each in nodes for name in each.input}
    kept = [numpy_helper.from_array(np.asarray(each), name) for name, each in fixed.items()]
    graph = helper.make_graph(
        nodes,
        "cases",
        [value("photo", TensorProto.FLOAT, [1, 3, 12, 12])],
        [value(f"of {case}", TensorProto.FLOAT, None) for case in cases],
        [each for each in kept if each.name in used],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


def _differ(path: Path, folder: Path, side: int = 224) -> dict[str, float]:
    """Return how far each output is from onnxruntime's, relative to its largest number."""
    tf = tensorflow.load()
    onnx_model.export(path, folder, named=Named(size=(side, side)))
    classify = tf.saved_model.load(str(folder)).signatures["serving_default"]
    ((name, spec),) = classify.structured_input_signature[1].items()
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = session.get_inputs()[0]
    photo = np.random.default_rng(2).uniform(-1, 1, (1, *spec.shape[1:])).astype(np.float32)
    moved = photo if wanted.shape[3] == spec.shape[3] else photo.transpose(0, 3, 1, 2)
    expected = dict(
        zip(
            [each.name for each in session.get_outputs()],
            session.run(None, {wanted.name: moved}),
            strict=True,
        )
    )
    found = {key: each.numpy() for key, each in classify(**{name: tf.constant(photo)}).items()}
    assert {key: each.shape for key, each in found.items()} == {
        key: each.shape for key, each in expected.items()
    }
    assert all(each.any() for each in expected.values())
    return {
        key: float(np.abs(found[key] - each).max() / max(1.0, np.abs(each).max()))
        for key, each in expected.items()
    }


def test_operators_compute_what_onnxruntime_computes(tmp_path: Path) -> None:
    onnx.save(_network(*_CASES), tmp_path / "m.onnx")
    found = _differ(tmp_path / "m.onnx", tmp_path / "out")
    assert len(found) == len(_CASES)
    assert not {name: each for name, each in found.items() if not each < 1e-5}


def test_quantised_networks_and_those_of_other_tools_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = _network("mish")
    model.graph.node[3].op_type = "DynamicQuantizeLinear"
    onnx.save(model, path)
    with pytest.raises(BadInputError, match=r"m\.onnx is quantised; give the float32 model"):
        onnx_model.export(path, tmp_path / "out")
    model.graph.node[3].domain = "com.microsoft"
    onnx.save(model, path)
    with pytest.raises(BadInputError, match=r"com\.microsoft\.Dynamic.*neither optimised nor"):
        onnx_model.export(path, tmp_path / "out")


def test_the_size_and_the_parts_of_a_model_can_be_named(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = _network("mish")
    for dim in model.graph.input[0].type.tensor_type.shape.dim:
        dim.Clear()
        dim.dim_param = f"side{len(dim.dim_param)}"
    onnx.save(model, path)
    with pytest.raises(BadInputError, match="how large its images are; give the size with --input"):
        onnx_model.export(path, tmp_path / "out")
    with pytest.raises(BadInputError, match="no output z; name one with --output, such as of mish"):
        onnx_model.export(path, tmp_path / "out", named=Named(size=(12, 12), output="z"))
    onnx_model.export(path, tmp_path / "out", named=Named("", "photo", "of mish", (12, 12)))
    loaded = tensorflow.load().saved_model.load(str(tmp_path / "out"))
    classify = loaded.signatures["serving_default"]
    assert list(classify.structured_outputs) == ["of mish"]
    assert classify.structured_input_signature[1]["photo"].shape.as_list() == [None, 12, 12, 3]


@pytest.mark.skipif(not _EXPORTS, reason="TOOLCHAIN_TEST_ONNX names no folder of exports")
def test_exports_compute_what_onnxruntime_computes(tmp_path: Path) -> None:
    paths = sorted(Path(str(_EXPORTS)).glob("*.onnx"))
    assert paths
    wrong = {
        path.name: difference
        for at, path in enumerate(paths)
        if (difference := max(_differ(path, tmp_path / str(at)).values())) > 1e-4
    }
    assert not wrong
