"""What is said of a model: sidecar files, files of labels, and who is believed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from toolchain.errors import BadInputError
from toolchain.labels import reading as label_file
from toolchain.records.card import Declared, InputSpec, ModelCard, Provenance, read_sidecar

if TYPE_CHECKING:
    from pathlib import Path

WHOLE = """
name = "Birds"
licence = "CC0-1.0"
labels = ["robin", "wren"]
label_offset = 1
height = 192
width = 256
value_range = [-1, 1]
crop_fraction = 1
"""


@pytest.fixture
def sidecar(tmp_path: Path) -> Path:
    return tmp_path / "birds.toml"


def test_a_sidecar_says_everything(sidecar: Path) -> None:
    sidecar.write_text(WHOLE, "utf-8")
    assert read_sidecar(sidecar) == Declared(
        name="Birds",
        licence="CC0-1.0",
        labels=("robin", "wren"),
        label_offset=1,
        height=192,
        width=256,
        value_range=(-1.0, 1.0),
        crop_fraction=1.0,
    )


def test_a_sidecar_may_say_nothing(sidecar: Path) -> None:
    sidecar.write_text("# later\n", "utf-8")
    assert read_sidecar(sidecar) == Declared()


def test_a_sidecar_may_name_a_file_of_labels_beside_it(sidecar: Path) -> None:
    sidecar.write_text('labels = "birds.txt"\n', "utf-8")
    sidecar.with_name("birds.txt").write_text("robin\nwren\n", "utf-8")
    assert read_sidecar(sidecar).labels == ("robin", "wren")
    sidecar.with_name("birds.txt").unlink()
    with pytest.raises(BadInputError, match=r"the labels .*birds\.txt cannot be read"):
        read_sidecar(sidecar)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ("name = ", "cannot be read as TOML"),
        ("name = '\xff'", "cannot be read as TOML"),
        ("colour = 'red'", "colour: extra inputs"),
        ("name = 5", "name: "),
        ("name = ''", "name: it is empty"),
        ("licence = ' '", "licence: it is empty"),
        ("labels = [1, 2]", r"labels\.0: "),
        ("labels = {robin = 1}", "labels: "),
        ("label_offset = -1", "label_offset: "),
        ("height = 0", "height: "),
        ("width = 5000", "width: "),
        ("value_range = [0]", "value_range"),
        ("value_range = [0, 1, 2]", "value_range"),
        ("value_range = [0, inf]", r"value_range\.1: "),
        ("value_range = [nan, 1]", r"value_range\.0: "),
        ("crop_fraction = 0", "crop_fraction: "),
        ("crop_fraction = 1.01", "crop_fraction: "),
    ],
)
def test_a_faulty_sidecar_is_named_with_the_key(sidecar: Path, content: str, fault: str) -> None:
    sidecar.write_text(content, "latin-1")
    with pytest.raises(BadInputError, match=fault) as raised:
        read_sidecar(sidecar)
    assert str(sidecar) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_labels_are_trimmed_and_blank_lines_at_the_end_dropped(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes("robin \r\n wren\r\nBöhmische Drossel\r\n\r\n \r\n".encode())
    assert label_file.read(path).names == ("robin", "wren", "Böhmische Drossel")


def test_the_mark_that_some_editors_put_first_is_no_part_of_a_label(tmp_path: Path) -> None:
    path = tmp_path / "labels.txt"
    path.write_bytes(b"\xef\xbb\xbfrobin\nwren\n")
    assert label_file.read(path).names == ("robin", "wren")


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "are empty; write one label on each line"),
        (b"\n \n", "are empty; write one label on each line"),
        (b"robin\n\nwren\n", "line 2 of the labels .* is empty"),
        (b"robin\n\xff\n", "cannot be read as text"),
        (None, "cannot be read as text: .*No such file"),
    ],
)
def test_faulty_labels_are_named(tmp_path: Path, content: bytes | None, fault: str) -> None:
    path = tmp_path / "labels.txt"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInputError, match=fault) as raised:
        label_file.read(path)
    assert str(path) in str(raised.value)
    assert raised.value.exit_code == 2


def test_who_is_nearer_the_user_is_believed_and_silence_says_nothing() -> None:
    user = Declared(name="mine", label_offset=0, value_range=(0.0, 255.0))
    source = Declared(name="theirs", label_offset=1, licence="MIT", labels=("a", "b"))
    assert user.over(source) == Declared(
        name="mine", label_offset=0, value_range=(0.0, 255.0), licence="MIT", labels=("a", "b")
    )
    assert Declared().over(source) == source
    assert source.over(Declared()) == source


def test_a_card_counts_the_classes_before_the_first_label() -> None:
    card = ModelCard(
        provenance=Provenance(name="m", source="m", licence="MIT", sha256="0" * 64),
        input=InputSpec(height=2, width=2, value_range=(0.0, 1.0)),
        label_offset=1,
        labels=("a", "b"),
    )
    assert card.classes == 3
