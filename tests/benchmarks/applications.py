"""Build every classifier of `keras.applications` under 100 MB, and compare its page with Keras.

    python -m tests.benchmarks.applications [--folder DIR] [NAME ...]

Weights are random. Biases are not zero, because zeros would hide faults. The statistics of
BatchNormalization are measured on pictures, as training does. With other statistics, activations
grow from block to block, until rounding alone changes the scores and nothing can be compared.
Each model is saved as a Keras file, built by the command line, opened in Chromium on
WebAssembly, and given a picture of its own size. A row is printed as soon as it is measured, and
saved in the folder, so that an interrupted run can continue.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from tests import tiny_models
from tests.browser import chromium, toolchain_serve
from tests.page_driver import give, open_page, shown_tags
from toolchain import tf as tensorflow
from toolchain.graph.running import probe_pictures
from toolchain.records import build_report

_PICTURES = 4
"""How many pictures the statistics are measured on."""

# The classifiers whose float32 weights have less than 100 MB, with the mode of the preprocessing
# that the caller has to do; None: the model does it.
NAMES = {
    "MobileNet": "tf",
    "MobileNetV2": "tf",
    "MobileNetV3Small": None,
    "MobileNetV3Large": None,
    **{f"EfficientNetB{number}": None for number in range(5)},
    **{f"EfficientNetV2B{number}": None for number in range(4)},
    "EfficientNetV2S": None,
    "NASNetMobile": "tf",
    **{f"DenseNet{number}": "torch" for number in (121, 169, 201)},
    "ResNet50": "caffe",
    "ResNet50V2": "tf",
    "Xception": "tf",
    "InceptionV3": "tf",
}
LIBRARIES = ("keras", "tf_keras")
# The command, but no file is precompressed. With random weights that takes longer than all else,
# and what the page computes is the same.
TOOLCHAIN = """
from toolchain import cli
from toolchain.site import precompress
precompress._WORTHWHILE = 0
cli.main()
"""


def made(library: Any, name: str) -> Any:
    """Return an untrained model whose biases are not zero."""
    library.utils.set_random_seed(1)
    model = getattr(library.applications, name)(weights=None)
    random = np.random.default_rng(1)

    def filled(weight: Any, value: Any) -> Any:
        path = getattr(weight, "path", None) or weight.name
        if value.ndim != 1:
            return value
        spread = random.uniform(0.05, 0.2, value.shape)
        return (value + spread if "variance" in path or "gamma" in path else spread).astype("f")

    model.set_weights(
        [
            filled(weight, value)
            for weight, value in zip(model.weights, model.get_weights(), strict=True)
        ]
    )
    for layer in model.layers:
        # Keras computes with the weights of Normalization only after this, or in a loaded file.
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()
    return model


def measure_statistics(model: Any, fed: Any) -> None:
    """Set the statistics of every BatchNormalization to those of its input for some pictures.

    Args:
        model: Any classifier; nothing else in it changes.
        fed: Input tensors, float32 `[n, height, width, 3]`.
    """
    # One call in training mode measures them all, if it forgets what was there and drops nothing.
    altered = {"momentum": "BatchNormalization", "rate": "Dropout"}
    before = [
        (layer, name, getattr(layer, name))
        for layer in model.layers
        for name, kind in altered.items()
        if type(layer).__name__ == kind
    ]
    for layer, name, _ in before:
        setattr(layer, name, 0.0)
    model(fed, training=True)
    for layer, name, value in before:
        setattr(layer, name, value)


def spread(model: Any, fed: Any) -> None:
    """Scale the last kernel, so that scores differ between labels as in a trained model.

    Args:
        model: A classifier that ends with a softmax.
        fed: Input tensors, float32 `[n, height, width, 3]`.
    """
    logits = np.log(np.asarray(model(fed, training=False), np.float64))
    last = [layer for layer in model.layers if layer.get_weights()][-1]
    kernel, *rest = last.get_weights()
    last.set_weights([(kernel * 3 / logits.std(axis=1).mean()).astype("f"), *rest])


def compared(library_name: str, name: str, folder: Path) -> dict[str, Any]:
    """Build one model, and return the comparison of its page with Keras."""
    library = tiny_models.libraries()[library_name]
    tf = tensorflow.load()
    model = made(library, name)
    side = model.inputs[0].shape[1] or 224
    path = folder / f"{name}.keras"
    pictures = np.rint(probe_pictures(side, side, count=1 + _PICTURES, seed=4)).astype(np.uint8)
    Image.fromarray(pictures[0]).save(folder / "picture.png")
    fed = pictures.astype(np.float32)
    if mode := NAMES[name]:
        fed = tf.keras.applications.imagenet_utils.preprocess_input(fed.copy(), mode=mode)
    measure_statistics(model, fed[1:])
    spread(model, fed[1:])
    fed = fed[:1]
    tiny_models.save_keras(model, path)
    # Keras 3 sets up Normalization when it loads a file, so the file is what counts.
    model = library.models.load_model(path, compile=False)
    scores = np.asarray(model(fed, training=False), np.float64)[0]
    site = folder / "site"
    words = ["build", "-m", path, "-q", "none", "--out", site, "--crop-fraction", "1"]
    if model.inputs[0].shape[1] is None:
        words += ["--input-size", str(side)]
    done = subprocess.run(
        [sys.executable, "-c", TOOLCHAIN, *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
    )
    if done.returncode:
        return {"fault": done.stderr.strip().splitlines()[-1]}
    report = build_report.read(site)
    with toolchain_serve(site) as url, chromium() as browser:
        page = browser.new_page()
        open_page(page, f"{url}?backend=wasm")
        give(page, folder / "picture.png")
        tags = shown_tags(page)
    return {
        "bytes": report.artifacts.weight_bytes,
        "range": f"{report.card.input.value_range[0]:g}…{report.card.input.value_range[1]:g}",
        "known": report.card.range_source,
        "same_first": bool(tags[0][0] == int(scores.argmax())),
        "difference": max(abs(score - scores[place]) for place, score in tags),
        "first": float(scores.max()),
    }


def say(line: str) -> None:
    """Print a row at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "applications")
    parser.add_argument("names", nargs="*", default=list(NAMES))
    given = parser.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    say(
        "| model | library | pixels | known | float32 bytes | first score | same first label "
        "| difference |"
    )
    say("|---|---|---|---|--:|--:|---|--:|")
    for name in given.names:
        for library in LIBRARIES:
            kept = given.folder / f"{library}-{name}.json"
            if not kept.is_file():
                with tempfile.TemporaryDirectory() as scratch:
                    kept.write_text(json.dumps(compared(library, name, Path(scratch))), "utf-8")
            row = json.loads(kept.read_text("utf-8"))
            if "fault" in row:
                say(f"| {name} | {library} | {row['fault']} | | | | |")
                continue
            same = "yes" if row["same_first"] else "no"
            say(
                f"| {name} | {library} | {row['range']} | {row['known']} | {row['bytes']:,} "
                f"| {row['first']:.2f} | "
                f"{same} | {row['difference']:.1e} |"
            )


if __name__ == "__main__":
    main()
