"""The list of operations that a SavedModel may hold: closed, and free of what reaches outside."""

from __future__ import annotations

import json
import re
from importlib import metadata
from typing import TYPE_CHECKING, Any

import pytest

from tests import tiny_models
from tests.fuzz.saved_models import graph, node
from tests.test_hostile_models import doing
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError
from toolchain.progress import Silent
from toolchain.sources import allowed_operations, local, operations

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from toolchain.cache.store import Store

# Names of attributes and inputs that say where something lies outside of the graph.
OUTSIDE = re.compile(
    r"file|path|pattern|directory|logdir|checkpoint|^prefix$|vocab|memory_region|stream|uri|url"
    r"|address|server|hostname|port$|target|data_source|device|token|cluster|protocol",
    re.IGNORECASE,
)
# Of the operations on the list: what has such a name and reaches nothing.
HARMLESS = {
    ("VarHandleOp", "allowed_devices"),  # of this machine
    ("ApproxTopK", "recall_target"),
    ("InTopK", "targets"),
    ("InTopKV2", "targets"),
    # Regular expressions.
    *((name, "pattern") for name in ("RegexReplace", "RegexFullMatch")),
    *((name, "pattern") for name in ("StaticRegexReplace", "StaticRegexFullMatch")),
}
SAVERS = allowed_operations.RESTORING | allowed_operations.SAVING


def definitions() -> Iterator[Any]:
    """Yield TensorFlow's definitions of all operations in `tf.raw_ops`."""
    tf = tensorflow.load()
    from tensorflow.python.framework import op_def_registry

    for name in dir(tf.raw_ops):
        if (definition := op_def_registry.get(name)) is not None:
            yield definition


def reaching(definition: Any) -> set[str]:
    """Return an operation's attributes and inputs that name a thing outside of the graph."""
    names = {argument.name for argument in (*definition.attr, *definition.input_arg)}
    return {
        name for name in names if OUTSIDE.search(name) and (definition.name, name) not in HARMLESS
    }


def test_no_operation_that_names_a_thing_outside_is_on_the_list() -> None:
    found = list(definitions())
    assert len(found) > 1_000
    refused = {each.name for each in found if reaching(each)}
    # The test's own pattern sees what it is for.
    assert {"ReadFile", "RecordInput", "FixedUnigramCandidateSampler", "MatchingFiles"} <= refused
    assert {"PyFunc", "EagerPyFunc", "RemoteCall", "DebugIdentityV3", "PrintV2"} <= refused
    assert {"ImmutableConst", "DataServiceDataset", "CreateSummaryFileWriter"} <= refused
    assert {"SaveV2", "RestoreV2", "MergeV2Checkpoints", "InitializeTableFromTextFileV2"} <= refused
    for definition in found:
        name = definition.name
        fault = operations.fault_of(graph([node("out", name)]))
        assert (fault is None) == (name in allowed_operations.COMPUTING)
        if name in refused:
            assert f"its operation {name} is not listed" in str(fault)


def test_what_savers_may_use_is_not_run_while_a_graph_is_imported() -> None:
    for definition in definitions():
        if definition.name in SAVERS:
            # Whatever is stateless, TensorFlow may compute while it imports a graph.
            assert definition.is_stateful or definition.name in {
                "ShardedFilename",  # these two join texts
                "ShardedFilespec",
            }


def test_the_list_has_what_the_installed_converter_knows() -> None:
    known: set[str] = set()
    for file in metadata.files("tensorflowjs") or ():
        if file.parent.name == "op_list" and file.suffix == ".json":
            if file.name == "tfdf.json":  # they read files, and grow no image classifiers
                continue
            known |= {entry["tfOpName"] for entry in json.loads(file.read_text("utf-8"))}
    assert known == allowed_operations.CONVERTER


def test_every_name_on_the_list_is_one_of_tensorflow() -> None:
    tensorflow.load()
    from tensorflow.python.framework import op_def_registry

    listed = allowed_operations.COMPUTING | allowed_operations.NEVER_RUN | SAVERS
    # The converter has names of its own, for what it fuses.
    names = listed - allowed_operations.CONVERTER
    assert [name for name in sorted(names) if op_def_registry.get(name) is None] == []


@pytest.mark.parametrize(
    ("operation", "act"),
    [
        (
            "FixedUnigramCandidateSampler",
            lambda tf, _: (
                tf.raw_ops.FixedUnigramCandidateSampler(
                    true_classes=tf.constant([[0]], tf.int64),
                    num_true=1,
                    num_sampled=1,
                    unique=False,
                    range_max=5,
                    vocab_file="./not-yours.csv",
                ).sampled_candidates
            ),
        ),
        (
            "RecordInput",
            lambda tf, _: tf.raw_ops.RecordInput(file_pattern="./*", file_buffer_size=1),
        ),
        (
            "ImmutableConst",
            lambda tf, _: tf.raw_ops.ImmutableConst(
                dtype=tf.float32, shape=(1,), memory_region_name="/etc/hostname"
            ),
        ),
    ],
)
def test_an_operation_that_opens_a_file_under_another_name_is_refused(
    tmp_path: Path, store: Store, operation: str, act: Callable[[Any, Any], Any]
) -> None:
    path = doing(tmp_path / "model", act)
    fetched = local.fetch(path, store=store, progress=Silent())
    with pytest.raises(BadInputError) as raised:
        operations.check(fetched, Silent())
    assert str(raised.value).startswith(f"model is not loaded: its operation {operation} in the")
    assert "--trust" in str(raised.value)


def test_a_file_is_not_read_even_where_only_the_import_of_the_graph_would_read_it() -> None:
    tf = tensorflow.load()
    written = tf.Graph()
    with written.as_default():
        content = tf.io.decode_raw(tf.io.read_file(__file__), tf.uint8)
        tf.fill(tf.reshape(tf.cast(content[:2], tf.int32), (2,)), 1.0)
    imported = tf.Graph()
    with imported.as_default():
        tf.import_graph_def(written.as_graph_def(), name="")
    # The reason for the rule: nothing ran, and yet the shape is made of the file's bytes.
    (filled,) = (each for each in imported.get_operations() if each.type == "Fill")
    assert filled.outputs[0].shape.as_list() == list(b'""')
    nodes = [node("out", "MatMul"), node("never", "ReadFile")]
    assert "its operation ReadFile is not listed" in str(operations.fault_of(graph(nodes)))


def trained(library: Any) -> Any:
    """Return a Keras model that was compiled and trained for a step, with augmentation."""
    import numpy as np

    layers = library.layers
    side = tiny_models.SIDE
    steps = [
        *(layers.RandomFlip(), layers.RandomRotation(0.1), layers.RandomZoom(0.1)),
        *(layers.RandomContrast(0.1), layers.RandomTranslation(0.1, 0.1)),
        *(layers.Resizing(side, side), layers.Rescaling(1 / 255), layers.GaussianNoise(0.1)),
        *(layers.Conv2D(4, 3, activation="swish"), layers.BatchNormalization()),
        *(layers.SeparableConv2D(4, 3, activation="gelu"), layers.LayerNormalization()),
        *(layers.SpatialDropout2D(0.1), layers.UpSampling2D(interpolation="bilinear")),
        *(layers.GlobalAveragePooling2D(), layers.Dropout(0.2), layers.Dense(5, "softmax")),
    ]
    model = library.Sequential([library.Input((side, side, 3)), *steps])
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(np.ones((2, side, side, 3), np.float32), np.array([0, 1]), verbose=0)
    return model


@pytest.mark.parametrize("library", ["keras", "tf_keras"])
def test_what_training_leaves_in_a_saved_model_is_on_the_list(tmp_path: Path, library: str) -> None:
    tf = tensorflow.load()
    with tensorflow.quiet():
        model = trained(tiny_models.libraries()[library])
        model.export(str(tmp_path / "exported"))
        # Keras 3 writes no such folders, and cannot save augmentation by TensorFlow.
        if library == "tf_keras":
            model.save(tmp_path / "saved", save_format="tf")
            tf.saved_model.save(model, str(tmp_path / "by-tensorflow"))
    written = sorted(tmp_path.glob("*/saved_model.pb"))
    assert len(written) == (3 if library == "tf_keras" else 1)
    for path in written:
        assert operations.fault_of(path.read_bytes()) is None, path


def test_a_function_that_trains_and_one_that_decodes_pictures_are_on_the_list(
    tmp_path: Path,
) -> None:
    tf = tensorflow.load()
    keras = tiny_models.libraries()["tf_keras"]
    module = tf.Module()
    module.network = tiny_models.mobile_net(keras)
    module.optimizer = keras.optimizers.Adam()
    module.optimizer.build(module.network.trainable_variables)
    module.table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(
            tf.range(tiny_models.CLASSES, dtype=tf.int64), tf.constant(tiny_models.names())
        ),
        "?",
    )

    def train(image: Any, truth: Any) -> Any:
        weights = module.network.trainable_variables
        with tf.GradientTape() as tape:
            scores = module.network(image, training=True)
            loss = tf.reduce_mean(tf.nn.sparse_softmax_cross_entropy_with_logits(truth, scores))
        gradients, _ = tf.clip_by_global_norm(tape.gradient(loss, weights), 1.0)
        module.optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return loss

    def classify(image: Any) -> Any:
        return {"scores": module.network(image, training=False)}

    def of_bytes(examples: Any) -> Any:
        wanted = {"image": tf.io.FixedLenFeature([], tf.string)}

        def decode(content: Any) -> Any:
            picture = tf.io.decode_image(content, 3, expand_animations=False)
            return tf.image.resize_with_pad(picture, tiny_models.SIDE, tiny_models.SIDE)

        pictures = tf.map_fn(
            decode, tf.io.parse_example(examples, wanted)["image"], fn_output_signature=tf.float32
        )
        best = tf.argmax(classify(pictures)["scores"], 1)
        return {"labels": module.table.lookup(best)}

    images = tf.TensorSpec(tiny_models.IMAGE, name="image")
    texts = tf.TensorSpec((None,), tf.string, name="examples")
    module.train = tf.function(train, [images, tf.TensorSpec((None,), tf.int64, name="truth")])
    signatures = {
        "serving_default": tf.function(classify, [images]).get_concrete_function(),
        "of_bytes": tf.function(of_bytes, [texts]).get_concrete_function(),
    }
    with tensorflow.quiet():
        module.train.get_concrete_function()
        tf.saved_model.save(module, str(tmp_path), signatures)
    content = (tmp_path / "saved_model.pb").read_bytes()
    for operation in (
        "Conv2DBackpropFilter",
        "AssignSubVariableOp",
        "DecodeImage",
        "ParseExampleV2",
    ):
        assert operation.encode() in content
    assert operations.fault_of(content) is None


def test_a_training_graph_of_tensorflow_1_is_on_the_list(tmp_path: Path) -> None:
    tf = tensorflow.load()
    v1 = tf.compat.v1
    with tf.Graph().as_default(), tensorflow.quiet():
        image = v1.placeholder(tf.float32, tiny_models.IMAGE, "image")
        truth = v1.placeholder(tf.int32, (None,))
        kernel = v1.get_variable("kernel", (3, 3, 3, 4), use_resource=False)
        matrix = v1.get_variable("matrix", (4, tiny_models.CLASSES), use_resource=False)
        seen = tf.reduce_mean(tf.nn.relu(tf.nn.conv2d(image, kernel, 2, "SAME")), (1, 2))
        scores = v1.nn.dropout(seen, rate=0.1) @ matrix
        loss = v1.losses.sparse_softmax_cross_entropy(truth, scores)
        v1.summary.scalar("loss", loss)
        v1.summary.merge_all()
        v1.train.AdamOptimizer().minimize(loss, v1.train.get_or_create_global_step())
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            v1.saved_model.simple_save(session, str(tmp_path / "m"), {"x": image}, {"y": scores})
    content = (tmp_path / "m" / "saved_model.pb").read_bytes()
    assert b"ScalarSummary" in content
    assert b"ApplyAdam" in content
    assert operations.fault_of(content) is None
