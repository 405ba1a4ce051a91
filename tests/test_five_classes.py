"""A model that nobody published: five classes, trained here, from its Keras file to the page.

Its pictures are drawn: stripes, discs, checkers, gradients and noise in colours, sizes and
directions by chance.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import tiny_models
from tests.browser import chromium, plain_host
from tests.watchdog import HANG_MS
from toolchain import cli
from toolchain.graph import preprocess
from toolchain.records import build_report
from toolchain.records.evaluation import Evaluation
from toolchain.tfjs import execute

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Array = np.ndarray[Any, Any]

pytestmark = pytest.mark.xdist_group("five")

SIDE = 64
TRAINED = 600  # pictures
EPOCHS = 4
BATCH = 25
EACH = 15  # photos of a class to judge by
UNSEEN = 60  # photos of a class that nobody has seen
MAX_DROP = 2.0  # points
TAGGED = HANG_MS


def stripes(across: Array, _along: Array, random: np.random.Generator) -> Array:
    light: Array = np.sin(across * random.uniform(20, 60) + random.uniform(0, 6)) > 0
    return light


def discs(across: Array, along: Array, random: np.random.Generator) -> Array:
    inside = np.zeros(across.shape, bool)
    for _ in range(random.integers(2, 6)):
        centre, radius = random.uniform(-0.4, 0.4, 2), random.uniform(0.08, 0.2)
        inside |= (across - centre[0]) ** 2 + (along - centre[1]) ** 2 < radius**2
    return inside


def checkers(across: Array, along: Array, random: np.random.Generator) -> Array:
    wave = random.uniform(20, 32)
    light: Array = np.sin(across * wave) * np.sin(along * wave) > 0
    return light


def gradient(across: Array, _along: Array, random: np.random.Generator) -> Array:
    shares: Array = np.clip(0.5 + across * random.uniform(0.6, 1.4), 0, 1)
    return shares


def noise(across: Array, _along: Array, random: np.random.Generator) -> Array:
    cells = random.uniform(0, 1, (32, 32))
    places = np.linspace(0, 31, len(across)).round().astype(int)
    grains: Array = cells[np.ix_(places, places)]
    return grains


DRAWN: dict[str, Callable[[Array, Array, np.random.Generator], Array]] = {
    "stripes": stripes,
    "discs": discs,
    "checkers": checkers,
    "gradient": gradient,
    "noise": noise,
}


def picture(label: str, side: int, random: np.random.Generator) -> Array:
    """Draw a picture of a class, uint8 `[side, side, 3]`."""
    rows, columns = np.mgrid[:side, :side] / side - 0.5
    angle = random.uniform(0, np.pi)
    across = rows * np.cos(angle) + columns * np.sin(angle)
    along = columns * np.cos(angle) - rows * np.sin(angle)
    shares = DRAWN[label](across, along, random).astype(np.float64)[..., None]
    dark, light = random.uniform(0, 90, 3), random.uniform(150, 255, 3)
    if random.integers(2):
        dark, light = light, dark
    drawn = dark + shares * (light - dark) + random.normal(0, 4, (side, side, 3))
    pixels: Array = np.clip(drawn, 0, 255).astype(np.uint8)
    return pixels


def write_photos(folder: Path, each: int, *, seed: int, suffix: str, flat: bool = False) -> Path:
    """Write `each` pictures of every class, in a folder a class or all in one."""
    random = np.random.default_rng(seed)
    for label in DRAWN:
        target = folder if flat else folder / label
        target.mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pixels = picture(label, int(random.integers(SIDE, 2 * SIDE)), random)
            Image.fromarray(pixels).save(target / f"{label}-{number}{suffix}", quality=92)
    return folder


def trained(path: Path) -> Path:
    """Train a small MobileNetV2 and write it as a Keras file."""
    keras = tiny_models.libraries()["keras"]
    random = np.random.default_rng(1)
    truth = np.arange(TRAINED) % len(DRAWN)
    pixels = np.stack([picture(list(DRAWN)[label], SIDE, random) for label in truth])
    model = tiny_models.mobile_net(keras, len(DRAWN), side=SIDE)
    rate = keras.optimizers.schedules.CosineDecay(6e-3, EPOCHS * TRAINED // BATCH)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(rate), loss)
    model.fit(pixels.astype(np.float32), truth, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return tiny_models.save_keras(model, path)


def toolchain(*words: str | Path) -> None:
    """Run the command line in this process, since TensorFlow is imported here already."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["toolchain", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
    assert not left.value.code


@dataclass(frozen=True)
class Built:
    """A model's site, and photos that it has not seen."""

    site: Path
    float16: Path
    """The same model's site with weights as float16."""
    unseen: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("five")
    model = trained(folder / "textures.keras")
    (folder / "textures.toml").write_text(f"labels = {json.dumps(list(DRAWN))}\n", "utf-8")
    tuned = write_photos(folder / "tuned", 8, seed=2, suffix=".jpg", flat=True)
    judged = write_photos(folder / "judged", EACH, seed=3, suffix=".png")
    unseen = write_photos(folder / "unseen", UNSEEN, seed=4, suffix=".png")
    both = ("build", "--model", model, "--lock-file", folder / "lock.json", "--out")
    toolchain(*both, folder / "float16", "--quantize", "float16")
    auto = ("--quantize", "auto", "--max-drop", str(MAX_DROP))
    toolchain(*both, folder / "site", *auto, "--calibration", tuned, "--evaluation", judged)
    return Built(folder / "site", folder / "float16", unseen)


def test_auto_keeps_its_word_in_under_half_of_float16s_bytes(built: Built) -> None:
    report, plain = build_report.read(built.site), build_report.read(built.float16)
    assert report.card.labels == tuple(DRAWN)
    assert report.card.input.value_range == (0.0, 255.0)
    verdict = report.verdict
    assert verdict is not None
    assert verdict.photos == EACH * len(DRAWN)
    assert verdict.reference_top1 is not None
    assert verdict.reference_top1.value > 0.9
    assert verdict.drop is not None
    # What decides is the drop that the scores, calibrated by the labels, let expect; two of
    # these few photos more or less are chance.
    assert verdict.expected_drop is not None
    assert verdict.expected_drop.points <= MAX_DROP
    assert verdict.drop.low <= MAX_DROP
    assert report.totals["model"].brotli < 0.5 * plain.totals["model"].brotli


def test_photos_that_nobody_has_seen_tell_the_same(
    built: Built, capfd: pytest.CaptureFixture[str]
) -> None:
    toolchain("evaluate", built.site, built.unseen, "--json")
    verdict = Evaluation.model_validate_json(capfd.readouterr().out).verdict
    assert verdict.photos == UNSEEN * len(DRAWN)
    assert verdict.reference_top1 is not None
    assert verdict.reference_top1.value > 0.9
    assert verdict.agreement is not None
    assert verdict.agreement.value > 0.9
    assert verdict.drop is not None
    # The plan was chosen by other photos, so its word holds within what chance explains: a
    # standard error of three hundred photos is one point at most.
    assert verdict.drop.points <= MAX_DROP + 1
    assert verdict.drop.low <= MAX_DROP


def test_the_page_tags_them_rightly(built: Built) -> None:
    report = build_report.read(built.site)
    run = execute.load(built.site / "model", report.artifacts.model_json)

    def named(photo: Path) -> str:
        logits = run(preprocess.load(photo, report.card.input)[None])
        return report.card.labels[int(logits.argmax())]

    with chromium() as browser, plain_host(built.site) as origin:
        page = browser.new_page()
        page.goto(origin)
        page.wait_for_selector("html[data-state=tagged]", timeout=TAGGED)
        for label in ("discs", "checkers", "gradient"):
            # The first that the same graph names rightly in Python: nearly all are.
            photo = next(
                path for path in sorted((built.unseen / label).iterdir()) if named(path) == label
            )
            page.evaluate("document.querySelector('#tags').textContent = ''")
            page.set_input_files("#file", photo)
            page.wait_for_selector("html[data-state=tagged] #tags li", timeout=TAGGED)
            assert page.get_attribute("#tags li", "data-label") == label
