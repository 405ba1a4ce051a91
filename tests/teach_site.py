"""A site that visitors teach by photos of one colour each, and such photos."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from tests import none_model
from toolchain.progress import Silent
from toolchain.site.configuration import PageOptions
from toolchain.sources import resolve
from toolchain.sources.request import Request
from toolchain.tfjs import stage

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.tfjs.stage import TfjsModel

TEACH = PageOptions(teach=True)
PHOTOS = 4  # of each colour


def converted(source: Path, store: Store) -> TfjsModel:
    """Return the model of a folder of `none_model` for a site."""
    request = Request(str(source), lockfile=source.with_name("toolchain.lock.json"))
    fetched = resolve.fetch(request, store=store, progress=Silent())
    return stage.run(
        fetched,
        quantization="float16",
        shard_bytes=4 << 20,
        store=store,
        progress=Silent(),
    )


def photos(folder: Path, colour: str, first: int = 0, count: int = PHOTOS) -> list[Path]:
    """Write photos of a colour: those to learn from in several shades, from 50 on in one."""
    made = []
    for seed in range(first, first + count):
        path = folder / colour / f"{colour} {seed}.png"
        path.parent.mkdir(exist_ok=True)
        shade = np.random.default_rng(seed).integers(-30, 31, 3) if seed < 50 else 0
        pixels = (np.array(none_model.COLOURS[colour]) + shade).clip(0, 255).astype(np.uint8)
        Image.fromarray(np.full((32, 32, 3), pixels)).save(path)
        made.append(path)
    return made
