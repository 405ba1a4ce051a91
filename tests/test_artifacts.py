"""TF.js artifacts: named after their content, and cut into shards."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests import tiny_models
from toolchain import digest
from toolchain.errors import BadInputError, ToolchainError
from toolchain.tfjs import artifacts
from toolchain.tfjs.convert import QUANTIZATIONS, Quantization, convert

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.records.artifacts import Artifacts


def converted(
    saved_model: Path,
    folder: Path,
    quantization: Quantization = "float16",
    shard_bytes: int = 4 << 20,
) -> Artifacts:
    convert(
        saved_model,
        folder,
        signature="serving_default",
        quantization=quantization,
        shard_bytes=shard_bytes,
    )
    return artifacts.seal(folder, "softmax")


def test_every_file_is_named_after_its_content(tiny: Path, tmp_path: Path) -> None:
    made = converted(tiny, tmp_path / "tfjs")
    found = {path.name: path.read_bytes() for path in (tmp_path / "tfjs").iterdir()}
    assert set(found) == {made.model_json, *made.shards}
    for name, content in found.items():
        assert name.split(".")[1] == digest.of_bytes(content)[:16]
    assert made.model_json.startswith("model.")
    model = json.loads(found[made.model_json])
    assert [path for group in model["weightsManifest"] for path in group["paths"]] == [*made.shards]
    assert made.weight_bytes == sum(len(found[shard]) for shard in made.shards)


def test_what_a_model_holds_is_counted(tiny: Path, tmp_path: Path) -> None:
    made = converted(tiny, tmp_path / "tfjs")
    assert made.parameters == 3 * 3 * 3 * 4 + 4 * 5 + 5
    assert made.memory_bytes >= 4 * made.parameters
    assert made.dtypes["float16"] == 3
    assert made.ops["Conv2D"] == 1
    assert made.tensors == sum(made.dtypes.values())


def test_the_same_model_gives_the_same_names_and_other_weights_give_others(
    tiny: Path, tmp_path: Path
) -> None:
    first = converted(tiny, tmp_path / "first")
    assert converted(tiny, tmp_path / "again") == first
    model = json.loads((tmp_path / "first" / first.model_json).read_text("utf-8"))
    # Sealed once more with one bit of the weights changed: both names are others.
    folder = tmp_path / "changed"
    folder.mkdir()
    shard = bytearray((tmp_path / "first" / first.shards[0]).read_bytes())
    shard[0] ^= 1
    model["weightsManifest"][0]["paths"] = ["group1-shard1of1.bin"]
    (folder / "group1-shard1of1.bin").write_bytes(shard)
    (folder / "model.json").write_text(json.dumps(model), "utf-8")
    changed = artifacts.seal(folder, "softmax")
    assert changed.shards[0] != first.shards[0]
    assert changed.model_json != first.model_json
    assert sorted(path.name for path in folder.iterdir()) == sorted(
        [changed.model_json, *changed.shards]
    )


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model with a megabyte of float16 weights."""
    return tiny_models.saved_model(tmp_path_factory.mktemp("large") / "large", width=16_000)


def test_weights_are_cut_into_shards_of_the_size_asked_for(large: Path, tmp_path: Path) -> None:
    made = converted(large, tmp_path / "tfjs", shard_bytes=200_000)
    sizes = [(tmp_path / "tfjs" / shard).stat().st_size for shard in made.shards]
    assert len(sizes) == 6
    assert max(sizes) == 200_000
    assert sum(sizes) == made.weight_bytes
    assert len(set(made.shards)) == len(made.shards)


@pytest.mark.parametrize("quantization", QUANTIZATIONS)
def test_weights_are_stored_as_asked(
    large: Path, tmp_path: Path, quantization: Quantization
) -> None:
    made = converted(large, tmp_path / "tfjs", quantization)
    size = {"none": 4, "float16": 2, "uint16": 2, "uint8": 1}[quantization]
    assert made.weight_bytes == pytest.approx(size * made.parameters, rel=0.001)
    assert made.dtypes["float32" if quantization == "none" else quantization] == 3


def test_an_operation_that_tfjs_lacks_is_named_with_the_way_out(tmp_path: Path) -> None:
    model = tiny_models.with_an_operation_tfjs_lacks(tmp_path / "model")
    with pytest.raises(BadInputError, match=r"operations that TF\.js lacks: Svd; replace") as no:
        converted(model, tmp_path / "tfjs")
    assert str(model) in str(no.value)
    assert "\n" not in str(no.value)
    assert no.value.exit_code == 2


def test_a_converter_that_fails_otherwise_is_quoted_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"could not be converted to TF\.js: .+--debug") as no:
        converted(tmp_path / "nothing", tmp_path / "tfjs")
    assert "\n" not in str(no.value)


def test_what_was_there_before_does_not_stay(tiny: Path, tmp_path: Path) -> None:
    (tmp_path / "tfjs").mkdir()
    (tmp_path / "tfjs" / "group1-shard9of9.bin").write_bytes(b"old")
    made = converted(tiny, tmp_path / "tfjs")
    assert len(list((tmp_path / "tfjs").iterdir())) == 1 + len(made.shards)
