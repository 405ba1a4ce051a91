"""ONNX files: scores against onnxruntime, channels last, settings beside them, hostile files."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import built_site
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.formats import exported_settings, onnx_model
from toolchain.progress import Silent
from toolchain.sources import local

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

onnx = pytest.importorskip("onnx", reason="the extra toolchain[onnx] is not installed")
SIDE = 32


def network(kind: str) -> Any:
    """Return a small network of the operators that exports of this kind hold."""
    from onnx import TensorProto, helper, numpy_helper

    random = np.random.default_rng(1)
    weights: list[Any] = []
    nodes: list[Any] = []

    def kept(array: Any) -> str:
        name = f"w{len(weights)}"
        weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def drawn(*shape: int) -> str:
        fan = max(1, int(np.prod(shape[1:])))
        return kept(random.normal(0, fan**-0.5, shape).astype(np.float32))

    def add(operator: str, *inputs: str, **attributes: Any) -> str:
        nodes.append(helper.make_node(operator, inputs, [f"n{len(nodes)}"], **attributes))
        return str(nodes[-1].output[0])

    def conv(x: str, out: int, of: int, side: int, step: int = 1, group: int = 1) -> str:
        pads = [side // 2] * 4
        weight = drawn(out, of // group, side, side)
        return add("Conv", x, weight, drawn(out), strides=[step, step], pads=pads, group=group)

    x = conv("image", 8, 3, 3, 2)
    if kind == "mobile":
        x = add(
            "HardSwish",
            add("BatchNormalization", x, *(kept(np.full(8, n, "f")) for n in (1.5, 0.1, 0.2, 0.7))),
        )
        y = add("Relu", conv(x, 8, 8, 5, 2, group=8))
        gate = add("ReduceMean", y, axes=[2, 3], keepdims=1)
        y = add("Mul", y, add("HardSigmoid", conv(gate, 8, 8, 1), alpha=1 / 6, beta=0.5))
        x = add("Clip", conv(y, 8, 8, 1), kept(np.float32(0)), kept(np.float32(6)))
    elif kind == "residual":
        x = add("MaxPool", add("Relu", x), kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
        x = add("Relu", add("Add", x, conv(x, 8, 8, 3, group=2)))
    elif kind == "convnext":
        y = add("Transpose", conv(x, 8, 8, 7, group=8), perm=[0, 2, 3, 1])
        y = add("LayerNormalization", y, drawn(8), drawn(8), axis=-1, epsilon=1e-6)
        y = add("Add", add("MatMul", y, drawn(8, 16)), drawn(16))
        root = kept(np.float32(2**0.5))
        y = add(
            "Mul",
            add("Mul", y, add("Add", add("Erf", add("Div", y, root)), kept(np.float32(1)))),
            kept(np.float32(0.5)),
        )
        y = add("Transpose", add("MatMul", y, drawn(16, 8)), perm=[0, 3, 1, 2])
        x = add("Add", x, y)
    else:
        flat = add("Reshape", x, kept(np.array([1, 8, -1])))
        tokens = add("Concat", drawn(1, 1, 8), add("Transpose", flat, perm=[0, 2, 1]), axis=1)
        heads = [
            add(
                "Transpose",
                add("Reshape", add("MatMul", tokens, drawn(8, 8)), kept(np.array([1, -1, 2, 4]))),
                perm=[0, 2, *last],
            )
            for last in ([1, 3], [3, 1], [1, 3])
        ]
        mixed = add("MatMul", add("Softmax", add("MatMul", *heads[:2]), axis=-1), heads[2])
        tokens = add(
            "Reshape", add("Transpose", mixed, perm=[0, 2, 1, 3]), kept(np.array([1, -1, 8]))
        )
        x = add("Gather", tokens, kept(np.array(0)), axis=1)
    if kind != "vit":
        x = add("Flatten", add("GlobalAveragePool", x), axis=1)
    add("Gemm", x, drawn(5, 8), drawn(5), transB=1)
    float32 = TensorProto.FLOAT
    photo = helper.make_tensor_value_info("image", float32, [1, 3, SIDE, SIDE])
    scores = helper.make_tensor_value_info(str(nodes[-1].output[0]), float32, [1, 5])
    graph = helper.make_graph(nodes, kind, [photo], [scores], weights)
    opset = 14 if kind == "mobile" else 17
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)


def _answers(folder: Path, image: Any) -> Any:
    tf = tensorflow.load()
    loaded = tf.saved_model.load(str(folder))
    classify = loaded.signatures["serving_default"]
    rows = []
    for photo in image:
        (scores,) = classify(image=tf.constant(photo[None])).values()
        rows.append(scores.numpy())
    return np.concatenate(rows)


@pytest.mark.parametrize("kind", ["mobile", "residual", "convnext", "vit"])
def test_scores_are_those_of_onnxruntime(kind: str, tmp_path: Path) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = tmp_path / "m.onnx"
    onnx.save(network(kind), path)
    onnx_model.export(path, tmp_path / "out")
    image = np.random.default_rng(2).uniform(-1, 1, (2, SIDE, SIDE, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    first_channels = image.transpose(0, 3, 1, 2)
    runs = [session.run(None, {"image": first_channels[at : at + 1]})[0] for at in range(2)]
    expected = np.concatenate(runs)
    assert np.ptp(expected) > 0.01
    np.testing.assert_allclose(_answers(tmp_path / "out", image), expected, atol=1e-5)


@pytest.mark.parametrize("kind", ["mobile", "residual", "convnext"])
def test_networks_of_convolutions_have_no_transposition(kind: str, tmp_path: Path) -> None:
    onnx.save(network(kind), tmp_path / "m.onnx")
    onnx_model.export(tmp_path / "m.onnx", tmp_path / "out")
    loaded = tensorflow.load().saved_model.load(str(tmp_path / "out"))
    definition = loaded.signatures["serving_default"].graph.as_graph_def()
    kinds = {node.op for node in definition.node}
    assert "Conv2D" in kinds
    assert "Transpose" not in kinds


def _external(folder: Path, location: str, **entries: str) -> Path:
    """Write a model whose first weights lie elsewhere."""
    model = network("residual")
    tensor = model.graph.initializer[0]
    (folder / "w.bin").write_bytes(tensor.raw_data)
    tensor.ClearField("raw_data")
    tensor.data_location = 1
    for key, value in {"location": location, **entries}.items():
        tensor.external_data.add(key=key, value=value)
    (folder / "m.onnx").write_bytes(model.SerializeToString())
    return folder / "m.onnx"


def test_weights_beside_the_model_are_read_and_belong_to_it(tmp_path: Path) -> None:
    path = _external(tmp_path, "w.bin")
    onnx_model.export(path, tmp_path / "out")
    onnx.save(network("residual"), tmp_path / "whole.onnx")
    onnx_model.export(tmp_path / "whole.onnx", tmp_path / "whole")
    image = np.ones((1, SIDE, SIDE, 3), np.float32)
    whole = _answers(tmp_path / "whole", image)
    np.testing.assert_array_equal(_answers(tmp_path / "out", image), whole)
    assert onnx_model.companions(path) == (tmp_path / "w.bin",)


@pytest.mark.parametrize(
    "location", ["../w.bin", "/etc/hostname", "link.bin", "", ".", "a\nb", "linked/w.bin"]
)
def test_weights_elsewhere_are_refused(location: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "w.bin").write_bytes(bytes(10_000))
    (folder / "link.bin").symlink_to(tmp_path / "w.bin")
    (folder / "linked").symlink_to(tmp_path)
    path = _external(folder, location)
    with pytest.raises(BadInputError, match="not a plain file in its folder; put"):
        onnx_model.companions(path)
    with pytest.raises(BadInputError, match="not a plain file in its folder; put"):
        onnx_model.export(path, tmp_path / "out")


@pytest.mark.parametrize(
    "entries", [{"offset": "999999"}, {"offset": "-4"}, {"length": "x"}, {"length": "3"}]
)
def test_weights_at_no_place_are_refused(entries: dict[str, str], tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"no place|too short"):
        onnx_model.export(_external(tmp_path, "w.bin", **entries), tmp_path / "out")


def test_odd_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    model = network("residual")
    whole = model.SerializeToString()
    for content in (b"", b"cos\nmkdir\n", whole[: len(whole) // 2]):
        path.write_bytes(content)
        with pytest.raises(BadInputError, match=r"m\.onnx .*export"):
            onnx_model.export(path, tmp_path / "out")
    model.graph.initializer[0].dims[0] = 1 << 60
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BadInputError, match="a tensor of the shape"):
        onnx_model.export(path, tmp_path / "out")
    model = network("residual")
    model.graph.node[1].op_type = "Unique"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(BadInputError, match=r"the operator Unique, which .*torch\.onnx\.export"):
        onnx_model.export(path, tmp_path / "out")


def test_settings_of_timm_and_hugging_face_are_read(tmp_path: Path) -> None:
    model, config = tmp_path / "m.onnx", tmp_path / "config.json"
    means, deviations = [0.4, 0.5, 0.6], [0.1, 0.2, 0.3]
    timm = {"mean": means, "std": deviations, "input_size": [3, 24, 32], "crop_pct": 0.95}
    config.write_text(json.dumps({"pretrained_cfg": timm, "label_names": ["a", "b"]}))
    found = exported_settings.beside(model)
    assert (found.labels, found.height, found.width) == (("a", "b"), 24, 32)
    assert (found.mean, found.std, found.crop_fraction) == ((0.4, 0.5, 0.6), (0.1, 0.2, 0.3), 0.95)
    config.write_text(json.dumps({"id2label": {"1": "b", "0": "a"}}))
    face: dict[str, Any] = {
        "size": {"shortest_edge": 256},
        "crop_size": {"height": 224, "width": 224},
    }
    face |= {"image_mean": means, "image_std": deviations}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(face))
    found = exported_settings.beside(model)
    assert (found.labels, found.value_range, found.crop_fraction) == (("a", "b"), (0, 1), 0.875)
    config.write_text("[1]")
    with pytest.raises(BadInputError, match=r"config\.json is not the settings of a model"):
        exported_settings.beside(model)


def test_settings_and_weights_beside_a_model_are_part_of_its_digest(
    tmp_path: Path, store: Store
) -> None:
    path = _external(tmp_path, "w.bin")
    digests = [local.fetch(path, store=store, progress=Silent()).sha256]
    (tmp_path / "config.json").write_text(json.dumps({"label_names": ["a", "b", "c", "d", "e"]}))
    fetched = local.fetch(path, store=store, progress=Silent())
    assert fetched.declared.labels == ("a", "b", "c", "d", "e")
    (tmp_path / "w.bin").write_bytes(bytes((tmp_path / "w.bin").stat().st_size))
    digests += [fetched.sha256, local.fetch(path, store=store, progress=Silent()).sha256]
    assert len(set(digests)) == len(digests)


@pytest.mark.parametrize("kind", ["mobile", "vit"])
def test_a_site_from_onnx_gives_the_scores_of_onnxruntime(
    kind: str, tmp_path: Path, store: Store
) -> None:
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    path = tmp_path / "m.onnx"
    onnx.save(network(kind), path)
    run = built_site.network_of(path, tmp_path, store)
    image = np.random.default_rng(2).uniform(-1, 1, (1, SIDE, SIDE, 3)).astype(np.float32)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    (expected,) = session.run(None, {"image": image.transpose(0, 3, 1, 2)})
    np.testing.assert_allclose(run(image), expected, atol=1e-5)


def test_what_the_page_does_otherwise_is_said(tmp_path: Path) -> None:
    model, config = tmp_path / "m.onnx", tmp_path / "config.json"
    timm = {"mean": [0.5] * 3, "std": [0.5] * 3, "input_size": [3, 24, 32]}
    config.write_text(
        json.dumps({"pretrained_cfg": {**timm, "interpolation": "bicubic", "crop_mode": "squash"}})
    )
    found = exported_settings.beside(model)
    assert found.notes is not None
    bicubic, squashed = found.notes
    assert bicubic.startswith("config.json asks for bicubic resizing, and the page resizes")
    assert squashed.startswith("config.json squashes whole photos into a square, and the page")
    config.unlink()
    face = {"size": {"height": 24, "width": 24}, "resample": 2, "do_center_crop": False}
    (tmp_path / "preprocessor_config.json").write_text(json.dumps(face))
    (squashed,) = exported_settings.beside(model).notes or ()
    assert squashed.startswith("preprocessor_config.json squashes")


def test_labels_of_imagenet_are_said_to_be_a_guess(tmp_path: Path) -> None:
    model = network("residual")
    weights = np.random.default_rng(1).normal(size=(1000, 8)).astype(np.float32)
    last = model.graph.node[-1].input[1:]
    for tensor in model.graph.initializer:
        if tensor.name in last:
            made = weights if tensor.name == last[0] else weights[:, 0]
            tensor.CopyFrom(onnx.numpy_helper.from_array(made, tensor.name))
    onnx.save(model, tmp_path / "m.onnx")
    declared = onnx_model.export(tmp_path / "m.onnx", tmp_path / "out")
    assert declared.label_notes is not None
    assert "ImageNet's are taken, a guess by their number: give --labels" in declared.label_notes[0]
