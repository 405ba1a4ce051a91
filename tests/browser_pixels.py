"""Lets a browser decode pictures as the page does, and returns the pixels."""

from __future__ import annotations

import base64
import json
import queue
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tests import engines
from tests.browser import QuietHandler, plain_host
from tests.watchdog import HANG_S

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    Pixels = np.ndarray[Any, np.dtype[np.uint8]]

# The same calls as in `web/src/worker/preprocess.ts` and `web/src/photo/read-crop.ts`, and what an
# <img> shows, which is what the visitor sees.
PAGE = """<!doctype html><meta charset=utf-8><script type=module>
const base64 = bytes => new Promise(done => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result.split(',')[1]);
  reader.readAsDataURL(new Blob([bytes]));
});
const read = (picture, width, height) => {
  const canvas = new OffscreenCanvas(width, height);
  const drawing = canvas.getContext('2d', {willReadFrequently: true});
  drawing.fillStyle = '#fff';
  drawing.fillRect(0, 0, width, height);
  drawing.drawImage(picture, 0, 0);
  return base64(drawing.getImageData(0, 0, width, height).data).then(
    pixels => ({width, height, pixels}));
};
const decoded = async file => {
  const options = {imageOrientation: 'from-image', colorSpaceConversion: 'default',
    premultiplyAlpha: 'none'};
  const bitmap = await createImageBitmap(file, options);
  return read(bitmap, bitmap.width, bitmap.height);
};
const shown = async file => {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  await image.decode();
  return read(image, image.naturalWidth, image.naturalHeight);
};
for (const name of await (await fetch('names.json')).json()) {
  const file = await (await fetch(name)).blob();
  const answer = {
    name,
    decoded: await decoded(file).catch(() => null),
    shown: await shown(file).catch(() => null),
  };
  await fetch('told', {method: 'POST', body: JSON.stringify(answer)});
}
</script>"""


@dataclass(frozen=True, eq=False)
class Seen:
    """A picture in a browser, over white: uint8 `[height, width, 3]`; None if it cannot be read."""

    decoded: Pixels | None
    """The model's input."""
    shown: Pixels | None
    """What the visitor sees."""


def seen_in(engine: str, files: Mapping[str, bytes], folder: Path) -> dict[str, Seen]:
    """Return the pixels that a browser reads from files, by their names.

    Args:
        engine: One of `engines.ENGINES`.
        files: Pictures by their names.
        folder: An empty folder to serve them from.
    """
    told: queue.Queue[dict[str, Any]] = queue.Queue()

    class Handler(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 - the base class names it
            told.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

    for name, content in files.items():
        (folder / name).write_bytes(content)
    (folder / "names.json").write_text(json.dumps(list(files)), "utf-8")
    (folder / "index.html").write_text(PAGE, "utf-8")
    with plain_host(folder, Handler) as origin, engines.opened(engine, origin):
        answers = [told.get(timeout=HANG_S) for _ in files]
    return {
        answer["name"]: Seen(_pixels(answer["decoded"]), _pixels(answer["shown"]))
        for answer in answers
    }


def _pixels(told: dict[str, Any] | None) -> Pixels | None:
    if told is None:
        return None
    flat = np.frombuffer(base64.b64decode(told["pixels"]), np.uint8)
    return flat.reshape(told["height"], told["width"], 4)[..., :3]
