"""Telling a whole SavedModel from a part of one, without TensorFlow."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import mirror as hub
from toolchain.errors import BadInputError
from toolchain.sources import saved_model

if TYPE_CHECKING:
    from pathlib import Path

# One empty MetaGraphDef, as in a frozen model: no saver, so no variables to restore.
FROZEN = b"\x08\x01\x12\x00"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    for name, data in hub.unpack(hub.archive()).items():
        path = tmp_path / "model" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return tmp_path / "model"


def test_a_real_model_is_whole_wherever_an_archive_puts_it(model: Path) -> None:
    assert saved_model.locate(model) == model
    assert saved_model.locate(model.parent) == model


def test_a_graph_that_is_cut_is_noticed(model: Path) -> None:
    graph = (model / "saved_model.pb").read_bytes()
    for length in (len(graph) - 1, len(graph) // 2, 10):
        (model / "saved_model.pb").write_bytes(graph[:length])
        assert saved_model.fault(model) == "saved_model.pb is cut off or is something else"


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"", "holds no graph"), (b"<html>", "something else"), (b"\x08\x01", "holds no graph")],
)
def test_what_is_no_graph_is_noticed(model: Path, content: bytes, fault: str) -> None:
    (model / "saved_model.pb").write_bytes(content)
    assert fault in str(saved_model.fault(model))


def test_every_missing_file_is_noticed(model: Path) -> None:
    for path in [
        "saved_model.pb",
        *(f"variables/{p.name}" for p in (model / "variables").iterdir()),
    ]:
        data = (model / path).read_bytes()
        (model / path).unlink()
        assert "is missing" in str(saved_model.fault(model)), path
        (model / path).write_bytes(data)
    assert saved_model.fault(model) is None


def test_one_of_several_shards_is_missed(model: Path) -> None:
    (shard,) = (model / "variables").glob("variables.data-*")
    shard.rename(shard.with_name("variables.data-00000-of-00002"))
    assert saved_model.fault(model) == "a variables/variables.data file is missing"


def test_a_frozen_model_needs_no_variables(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(FROZEN)
    assert saved_model.fault(tmp_path) is None
    (tmp_path / "variables").mkdir()
    assert saved_model.fault(tmp_path) is None


def test_a_folder_of_something_else_is_refused_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="not a whole SavedModel") as raised:
        saved_model.locate(tmp_path)
    assert str(tmp_path) in str(raised.value)
