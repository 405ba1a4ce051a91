"""The converter is imported without JAX and TF Decision Forests, which it never needs here."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.tiny_models import saved_model
from toolchain.errors import ToolchainError
from toolchain.tfjs import converter

if TYPE_CHECKING:
    from pathlib import Path

UNUSED = ("flax", "jax", "jaxlib", "tensorflow_decision_forests", "ydf")


def test_a_model_is_converted_where_what_the_converter_declares_cannot_be_imported(
    tmp_path: Path,
) -> None:
    model = saved_model(tmp_path / "tiny", classes=3)
    script = f"""
import sys
from pathlib import Path
for name in {UNUSED}:
    sys.modules[name] = None  # importing it fails
from toolchain.tfjs.convert import convert
convert(Path(sys.argv[1]), Path(sys.argv[2]), quantization="none", shard_bytes=1 << 22)
from toolchain.tfjs import execute
import numpy as np
run = execute.load(Path(sys.argv[2]), "model.json")
import tensorflow_hub
assert tensorflow_hub.resolve and not any("tensorflowjs" in name for name in sys.modules)
print(run(np.zeros((1, 32, 32, 3), np.float32)).shape)
"""
    command = [sys.executable, "-c", script, str(model), str(tmp_path / "converted")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stdout == "(1, 3)\n", done.stderr


def test_a_missing_converter_is_told_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    before = dict(sys.modules)
    with pytest.raises(ToolchainError, match=r"cannot be imported .*`toolchain doctor`"):
        converter.load.__wrapped__()
    assert before.items() <= sys.modules.items()


def test_the_whole_package_stays_for_others() -> None:
    loaded = converter.load()
    assert converter.load() is loaded
    assert sys.modules.get(loaded.__name__) is not loaded
    assert not any(name.startswith("tensorflowjs") for name in sys.modules)
