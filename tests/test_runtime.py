"""The page's runtimes: chosen by a graph's operations, and right about its scores.

A runtime holds only what its operations need of TF.js and of its WebAssembly, so every one of
them is run here on every backend that this Chromium has, and compared with TensorFlow.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests import tiny_models
from tests.browser import sample_png, toolchain_serve
from tests.page_scripts import WITHOUT_VECTORS, WITHOUT_WASM
from tests.watchdog import HANG_MS
from toolchain import tf as tensorflow
from toolchain.errors import BadInputError, MissingToolError
from toolchain.graph import preprocess
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.records import build_report
from toolchain.records.card import Declared
from toolchain.site import web_bundle
from toolchain.sources.request import Request
from toolchain.tfjs import execute
from toolchain.tfjs.convert import Quantization, Stored

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("runtimes")

LOADED = HANG_MS
SAME_PIXELS = 1e-3  # as in test_page.py
# The name that the page shows for each.
BACKENDS = {
    "simd": "WebAssembly SIMD",
    "plain": "WebAssembly",
    "webgpu": "WebGPU",
    "webgl": "WebGL",
    "cpu": "JavaScript",
}
WEBGPU_IN_SOFTWARE = ("--enable-unsafe-webgpu", "--use-webgpu-adapter=swiftshader")


def all_operations(folder: Path) -> Path:
    """Write a SavedModel that is left with every operation of the runtime `mobilenet`."""
    tf = tensorflow.load()
    raw = tf.raw_ops
    shapes = {
        "look": (3, 3, 3, 8),
        "depth": (3, 3, 8, 1),
        "mix": (1, 1, 8, 8),
        "deeper": (3, 3, 8, 1),
        "hide": (8, 6),
        "judge": (6, tiny_models.CLASSES),
        **{f"bias{size}{letter}": (size,) for size, letter in ((8, "a"), (8, "b"), (8, "c"))},
        "bias6": (6,),
    }
    kept = {
        name: tiny_models.weights(*shape, seed=seed)
        for seed, (name, shape) in enumerate(shapes.items())
    }

    def conv(x: Any, name: str) -> Any:
        return tf.nn.conv2d(x, kept[name], 1, "SAME")

    def depthwise(x: Any, name: str) -> Any:
        return tf.nn.depthwise_conv2d(x, kept[name], (1, 1, 1, 1), "SAME")

    def call(image: Any) -> Any:
        x = tf.pad(image - 0.5, ((0, 0), (1, 1), (1, 1), (0, 0)))
        x = tf.nn.relu6(tf.nn.bias_add(conv(x, "look"), kept["bias8a"]))
        x = tf.nn.max_pool2d(x, 2, 2, "VALID")
        x = tf.nn.relu(tf.nn.bias_add(depthwise(x, "depth"), kept["bias8b"]))
        # What has several readers is not fused with any of them.
        mixed = conv(x, "mix")
        moved = tf.nn.bias_add(mixed, kept["bias8c"])
        x = tf.nn.avg_pool2d(moved * tf.sigmoid(mixed), 2, 2, "SAME")
        x = raw.AddN(inputs=[depthwise(x, "deeper"), x, tf.nn.relu6(x)])
        x = raw.Add(x=tf.nn.relu(x), y=x)
        x = x + tf.sigmoid(x)
        batch = tf.shape(x)[0]
        x = tf.reshape(tf.reduce_mean(x, (1, 2)), tf.stack((batch, 1, 1, 8)))
        x = tf.squeeze(x, (1, 2))
        x = tf.nn.relu(tf.nn.bias_add(x @ kept["hide"], kept["bias6"]))
        # Not at the end, where it would be cut off.
        return {"scores": tf.nn.softmax(x) @ kept["judge"]}

    return tiny_models.save(folder, call, {"image": tiny_models.IMAGE}, *kept.values())


def site_of(
    request: Request,
    declared: Declared,
    out: Path,
    store: Store,
    quantization: Quantization = "none",
) -> Path:
    options = BuildOptions(
        request=request, out=out, declared=declared, weights=Stored(quantization)
    )
    build(options, store=store, progress=Silent())
    return out


@pytest.fixture(scope="module")
def browser_flags() -> tuple[str, ...]:
    return WEBGPU_IN_SOFTWARE


def scores_in_chromium(context: BrowserContext, url: str, backend: str, photo: Path) -> Any:
    """Tag a photo on a backend; return the shown classes with their scores."""
    if backend == "plain":
        context.add_init_script(WITHOUT_VECTORS)
    page = context.new_page()
    page.goto(f"{url}?backend={backend if backend not in ('simd', 'plain') else 'wasm'}")
    page.wait_for_selector("html[data-state=tagged]", timeout=LOADED)
    page.evaluate("document.querySelector('#tags').textContent = ''")
    page.set_input_files("#file", photo)
    page.wait_for_selector("html[data-state=tagged] #tags li", timeout=LOADED)
    assert page.inner_text("#backend strong") == BACKENDS[backend]
    return page.eval_on_selector_all(
        "#tags li",
        "rows => rows.map(row => [Number(row.dataset.classIndex), Number(row.dataset.score)])",
    )


def assert_right(browser: Browser, site: Path, backend: str, photo: Path) -> None:
    """Compare the page's best five with TensorFlow's, of the same weights as stored."""
    report = build_report.read(site)
    run = execute.load(site / "model", report.artifacts.model_json)
    outputs = run(preprocess.load(photo, report.card.input)[None])[0].astype(np.float64)
    if report.artifacts.activation == "softmax":
        outputs = np.exp(outputs - outputs.max())
        outputs /= outputs.sum()
    with toolchain_serve(site) as url:
        context = browser.new_context()
        shown = scores_in_chromium(context, url, backend, photo)
        context.close()
    offset = report.card.label_offset
    assert len(shown) == 5
    for index, score in shown:
        assert abs(score - outputs[index + offset]) < SAME_PIXELS, (index, score)
    # A network whose answers do not differ would prove nothing.
    assert np.ptp(outputs) > 10 * SAME_PIXELS


@pytest.fixture(scope="module")
def every_operation(tmp_path_factory: pytest.TempPathFactory, session_store: Store) -> Path:
    """The site of a graph with every operation of the runtime `mobilenet`."""
    folder = tmp_path_factory.mktemp("every-operation")
    declared = Declared(labels=tiny_models.names(), value_range=(0.0, 1.0))
    request = Request(str(all_operations(folder / "model")))
    return site_of(request, declared, folder / "site", session_store)


def test_the_graph_of_every_operation_has_every_operation(every_operation: Path) -> None:
    ops = build_report.read(every_operation).artifacts.ops
    (mobilenet,) = (
        runtime for runtime in web_bundle.load_runtimes() if runtime.name == "mobilenet"
    )
    assert set(ops) == mobilenet.ops
    assert web_bundle.runtime_for(ops, teaching=True) == mobilenet


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_operation_of_a_runtime_is_right(
    browser: Browser, every_operation: Path, tmp_path: Path, backend: str
) -> None:
    assert_right(browser, every_operation, backend, sample_png("cat", tmp_path))


def beyond_the_family(folder: Path) -> Path:
    """Write a SavedModel with an operation that no MobileNet has."""
    tf = tensorflow.load()
    matrix = tiny_models.weights(3, tiny_models.CLASSES)

    def call(image: Any) -> Any:
        return {"scores": tf.tanh(tf.reduce_max(image, (1, 2))) @ matrix}

    return tiny_models.save(folder, call, {"image": tiny_models.IMAGE}, matrix)


@pytest.mark.parametrize("backend", BACKENDS)
def test_other_operations_get_the_full_runtime(
    browser: Browser, session_store: Store, tmp_path: Path, backend: str
) -> None:
    declared = Declared(labels=tiny_models.names(), value_range=(0.0, 1.0))
    request = Request(str(beyond_the_family(tmp_path / "model")))
    site = site_of(request, declared, tmp_path / "site", session_store)
    assert web_bundle.runtime_for(build_report.read(site).artifacts.ops).name == "full"
    assert_right(browser, site, backend, sample_png("cat", tmp_path))


# The archives lie among the real models, and say nothing of the values they want.
REAL = {
    "embedded": ("embedded", Declared()),
    "mobilenet-v1": ("mobilenet_v1_025_224.tar.gz", Declared(value_range=(0.0, 1.0))),
    "mobilenet-v2": ("mobilenet_v2_100_224.tar.gz", Declared(value_range=(0.0, 1.0))),
}


@pytest.fixture(scope="module", params=REAL)
def real(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, session_store: Store
) -> Path:
    """The site of a real network."""
    model, declared = REAL[request.param]
    if model != "embedded":
        model = str(request.getfixturevalue("shared") / "models" / model)
    out = tmp_path_factory.mktemp("real") / "site"
    return site_of(Request(model), declared, out, session_store, "float16")


@pytest.mark.parametrize("backend", ["simd", "plain"])
def test_a_real_network_is_right_on_the_smallest_runtime(
    browser: Browser, real: Path, tmp_path: Path, backend: str
) -> None:
    assert web_bundle.runtime_for(build_report.read(real).artifacts.ops).name == "core"
    assert_right(browser, real, backend, sample_png("espresso", tmp_path))


def test_without_web_assembly_the_page_runs_on_javascript(
    browser: Browser, every_operation: Path
) -> None:
    context = browser.new_context()
    context.add_init_script(WITHOUT_WASM)
    page = context.new_page()
    with toolchain_serve(every_operation) as url:
        page.goto(url)
        page.wait_for_selector("html[data-state=tagged]", timeout=LOADED)
        page.wait_for_selector("#backend[data-backend=cpu]", timeout=LOADED)
    context.close()


def test_a_graphics_processor_in_software_is_passed_over(
    browser: Browser, every_operation: Path
) -> None:
    context = browser.new_context()
    page = context.new_page()
    with toolchain_serve(every_operation) as url:
        page.goto(url)
        page.wait_for_selector("#backend[data-reason=software-renderer]", timeout=LOADED)
        assert page.get_attribute("#backend", "data-backend") == "wasm"
    context.close()


def test_a_site_carries_one_runtime(every_operation: Path) -> None:
    runtime = web_bundle.runtime_for(build_report.read(every_operation).artifacts.ops)
    found = {
        file.path for file in build_report.read(every_operation).files if "assets/" in file.path
    }
    assert found == set(runtime.files)


def test_a_runtime_with_more_operations_is_larger() -> None:
    sizes = [
        sum((web_bundle.runtime_dir() / file).stat().st_size for file in runtime.files)
        for runtime in web_bundle.load_runtimes()
    ]
    assert sizes == sorted(set(sizes))


def test_an_operation_that_no_runtime_has_is_named() -> None:
    with pytest.raises(
        BadInputError, match=r"cannot run Svd, which TF\.js does not have"
    ) as raised:
        web_bundle.runtime_for({"Conv2D", "Svd"})
    assert "\n" not in str(raised.value)


def test_runtimes_of_another_version_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "web" / "dist").mkdir(parents=True)
    manifest = {"schema": 1, "entry": "assets/page.js"}
    (tmp_path / "web" / "dist" / "runtime.json").write_text(json.dumps(manifest), "utf-8")
    monkeypatch.setattr(web_bundle, "_CHECKOUT", tmp_path)
    with pytest.raises(MissingToolError, match="run `make web` again"):
        web_bundle.load_runtimes()
