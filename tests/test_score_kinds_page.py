"""One page of each kind of scores, in a real Chromium, beside what Keras itself says."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import classifiers, tiny_models
from tests.browser import toolchain_serve
from tests.page_driver import SAME_PIXELS, give, open_page, shown_tags
from toolchain.graph.running import probe_pictures
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.records.card import Declared
from toolchain.sources.request import Request
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("score kinds")

MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TORCH = Declared(value_range=(0, 1), mean=MEAN, std=DEVIATION, channels="bgr")


def torch_outside(library: Any) -> classifiers.Made:
    """Make a model that is fed ImageNet's mean and deviation, as BGR."""

    def fed(pixels: Any) -> Any:
        return ((pixels / 255 - MEAN) / DEVIATION)[..., ::-1].astype(np.float32)

    return classifiers.Made(classifiers.model(library), fed=fed, read=classifiers.softmax)


@dataclass(frozen=True)
class Kind:
    make: Callable[[Any], classifiers.Made]
    labels: int
    declared: Declared = Declared()  # noqa: RUF009 - it is frozen


KINDS = {
    "logits, fed by mean and deviation as BGR": Kind(torch_outside, 5, TORCH),
    "one sigmoid for two labels": Kind(classifiers.one_sigmoid, 2),
    "a sigmoid a label": Kind(classifiers.many_sigmoids, 7),
    "an average of two softmaxes": Kind(classifiers.average_of_two, 5),
}


def site_of(
    made: classifiers.Made, declared: Declared, folder: Path, store: Store
) -> tuple[Path, Any]:
    """Build a site, and return it with pictures of the model's size."""
    path = tiny_models.save_keras(made.model, folder / "mine.keras")
    out = folder / "site"
    options = BuildOptions(
        request=Request(model=str(path), lockfile=folder / "toolchain.lock.json"),
        out=out,
        weights=Stored("none"),
        declared=whole(declared),
    )
    build(options, store=store, progress=Silent())
    _, height, width, _ = made.model.inputs[0].shape
    return out, np.rint(probe_pictures(height, width, count=3, seed=9)).astype(np.uint8)


def whole(declared: Declared) -> Declared:
    """Let the page look at whole pictures, which are of the model's own size."""
    return Declared(crop_fraction=1.0).over(declared)


def as_png(picture: Any, folder: Path) -> Path:
    path = folder / "picture.png"
    Image.fromarray(picture).save(path)
    return path


@pytest.mark.parametrize("kind", KINDS.values(), ids=list(KINDS))
def test_the_page_shows_what_keras_says(
    kind: Kind, browser: Browser, tmp_path: Path, store: Store
) -> None:
    made = kind.make(tiny_models.libraries()["keras"])
    declared = kind.declared.over(Declared(labels=tiny_models.names(kind.labels)))
    site, pictures = site_of(made, declared, tmp_path, store)
    expected = made.scores(pictures)
    assert expected.std() > 0.01
    with toolchain_serve(site) as url:
        page = browser.new_page()
        open_page(page, url)
        for picture, scores in zip(pictures, expected, strict=True):
            give(page, as_png(picture, tmp_path))
            tags = shown_tags(page)
            assert tags[0][0] == int(scores.argmax())
            for place, score in tags:
                assert score == pytest.approx(scores[place], abs=SAME_PIXELS)
            if made.model.output_shape[-1] == 7:
                reached = int((scores >= 0.5).sum())
                assert len(tags) == max(1, reached)
        page.close()


def nearest(page: Page) -> list[str]:
    texts: list[str] = page.eval_on_selector_all(
        "#tags li.nearest", "rows => rows.map(r => r.innerText)"
    )
    return texts


def test_where_no_label_reaches_the_threshold_the_nearest_is_named_as_such(
    browser: Browser, tmp_path: Path, store: Store
) -> None:
    made = classifiers.many_sigmoids(tiny_models.libraries()["keras"])
    declared = Declared(labels=tiny_models.names(7), threshold=0.9999)
    site, pictures = site_of(made, declared, tmp_path, store)
    scores = made.scores(pictures)
    row = int(scores.max(axis=1).argmin())
    assert scores[row].max() < 0.9999
    with toolchain_serve(site) as url:
        page = browser.new_page()
        open_page(page, url)
        give(page, as_png(pictures[row], tmp_path))
        ((place, score),) = shown_tags(page)
        (text,) = nearest(page)
        page.close()
    assert place == int(scores[row].argmax())
    assert score == pytest.approx(scores[row].max(), abs=SAME_PIXELS)
    assert re.search(rf"None of these\s+nearest: thing {place} [\d.]+\s%", text)
