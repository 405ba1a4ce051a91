"""Runs a TFLite file in the interpreter that TensorFlow brings, in a process of its own.

The interpreter is C++ code that a hostile file could bring down, and it is not to take the build
with it. The process has limits on its memory and its processor time. It imports no more of
TensorFlow than the interpreter: that takes 0.2 CPU-seconds, and all of TensorFlow 4.8.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import types
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

# Chosen, not measured.
_MEMORY = 8 << 30  # bytes of addresses; the libraries of TensorFlow map 2 GiB of them
_CPU_S = 300
_WAIT_S = 900.0
_REQUEST, _PHOTOS, _ANSWERS = "request.json", "photos.npy", "answers.npz"
_LONGEST = 200  # characters of what the interpreter said


class InterpreterError(Exception):
    """The interpreter did not answer; the text is one clause."""


def answers(path: Path, photo: int, photos: Any, tensors: Iterable[int]) -> list[dict[int, Any]]:
    """Return tensors of a file for some photos, as its interpreter computes them.

    Args:
        path: The file, whose structure was checked.
        photo: The index of the tensor that takes the photo.
        photos: The photos, one after the other, in that tensor's kind of numbers.
        tensors: The indices of the tensors to return.

    Returns:
        For each photo, the tensors by their index, as they are: integers stay integers.

    Raises:
        InterpreterError: It fails, is brought down, or needs too long or too much memory.
    """
    wanted = sorted(set(tensors))
    with tempfile.TemporaryDirectory(prefix="toolchain-tflite-") as made:
        folder = Path(made)
        np.save(folder / _PHOTOS, photos)
        request = {"path": str(path.resolve()), "photo": photo, "tensors": wanted}
        (folder / _REQUEST).write_text(json.dumps(request), "utf-8")
        root = str(Path(__file__).resolve().parents[2])
        paths = [root, *filter(None, [os.environ.get("PYTHONPATH")])]
        try:
            ran = subprocess.run(  # noqa: S603 - this Python and this file
                [sys.executable, "-m", __name__, str(folder)],
                env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
                capture_output=True,
                timeout=_WAIT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise InterpreterError("it does not finish") from error
        if ran.returncode:
            said = ran.stdout.decode("utf-8", "replace").strip().splitlines()
            ended = f"it ends with {ran.returncode}"
            raise InterpreterError(said[-1][:_LONGEST] if said else ended)
        with np.load(folder / _ANSWERS) as found:
            return [
                {tensor: found[f"{number}-{tensor}"] for tensor in wanted}
                for number in range(len(photos))
            ]


def _serve(folder: Path) -> None:
    """Answer the request in a folder: what runs in the process of its own."""
    _limit()
    request = json.loads((folder / _REQUEST).read_bytes())
    photos = np.load(folder / _PHOTOS)
    interpreter = _interpreter()(
        model_path=request["path"], num_threads=1, experimental_preserve_all_tensors=True
    )
    photo = request["photo"]
    interpreter.resize_tensor_input(photo, [1, *photos.shape[2:]])
    interpreter.allocate_tensors()
    found = {}
    for number, each in enumerate(photos):
        interpreter.set_tensor(photo, each)
        interpreter.invoke()
        for tensor in request["tensors"]:
            found[f"{number}-{tensor}"] = interpreter.get_tensor(tensor)
    np.savez(folder / _ANSWERS, **found)


def _limit() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource

        for kind, most in (
            (resource.RLIMIT_AS, _MEMORY),
            (resource.RLIMIT_CPU, _CPU_S),
            (resource.RLIMIT_CORE, 0),
        ):
            highest = resource.getrlimit(kind)[1]
            fits = most if highest == resource.RLIM_INFINITY else min(most, highest)
            resource.setrlimit(kind, (fits, highest))


def _interpreter() -> Any:
    """Return the class of the interpreter, if possible without the rest of TensorFlow."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    found = find_spec("tensorflow")
    if found and found.submodule_search_locations:
        # A package without content, so that only the interpreter's own modules are imported.
        hollow = types.ModuleType("tensorflow")
        hollow.__path__ = list(found.submodule_search_locations)
        sys.modules["tensorflow"] = hollow
        try:
            from tensorflow.lite.python.interpreter import Interpreter
        except Exception:  # noqa: BLE001 - another TensorFlow needs more of itself
            for name in [each for each in sys.modules if each.partition(".")[0] == "tensorflow"]:
                del sys.modules[name]
        else:
            return Interpreter
    import tensorflow as tf

    return tf.lite.Interpreter


if __name__ == "__main__":
    try:
        _serve(Path(sys.argv[1]))
    except Exception as error:  # noqa: BLE001 - all are told to the process that started this
        lines = str(error).strip().splitlines() or [type(error).__name__]
        sys.stdout.write(lines[0])
        sys.exit(1)
