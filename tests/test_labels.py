"""Files of labels: every form that people keep them in is read as what it is, or refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from toolchain.errors import BadInputError
from toolchain.labels import imagenet, reading
from toolchain.records.card import Declared, read_sidecar

if TYPE_CHECKING:
    from pathlib import Path

WNIDS = imagenet.wnids()
IMAGENET = imagenet.labels()
ITEM_1 = "item { id: 1; name: '/m/0'; display_name: 'dog' }"
ITEM = "item {{\n  id: {0}\n  name: '{1}'\n}}\n"


def read(folder: Path, name: str, content: str | bytes) -> reading.Labels:
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return reading.read(path)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("cat\ndog", "cat dog"),
        ("cat\r\ndog\r\n\r\n", "cat dog"),
        ("0 cat\n1 dog\n", "cat dog"),
        ("1 dog\n0 cat\n", "cat dog"),
        ("0: cat\n1: dog\n", "cat dog"),
        ("0:cat\n1:dog\n", "cat dog"),
        ("0,cat\n1,dog\n", "cat dog"),
        ("0, cat\n1, dog\n", "cat dog"),
        ("0;cat\n1;dog\n", "cat dog"),
        ("0\tcat\n1\tdog\n", "cat dog"),
        ("cat\t1\ndog\t0\n", "dog cat"),
        ("0. cat\n1. dog\n", "cat dog"),
        ("0) cat\n1) dog\n", "cat dog"),
        ("0 - cat\n1 - dog\n", "cat dog"),
        ("0 -> cat\n1 -> dog\n", "cat dog"),
        ("00 cat\n01 dog\n", "cat dog"),
        ("1: dog\n\n0: cat\n", "cat dog"),
        ("0 cat", "cat"),
        ("cat,1\ndog,0\n", "dog cat"),
        ("index,name\n1,dog\n0,cat\n", "cat dog"),
        ("name;index\ndog;1\ncat;0\n", "cat dog"),
        ("n01440764 cat\nn01443537 dog\n", "cat dog"),
        ("n01440764\tcat\nn01443537\tdog\n", "cat dog"),
        ("n02119789 2 dog\nn02100735 1 cat\n", "cat dog"),
        ("0 n01440764\n1 n01443537\n", "n01440764 n01443537"),
        ("0 n01440764 cat\n1 n01443537 dog\n", "cat dog"),
        ("n01440764\nn01443537\n", "n01440764 n01443537"),
        ("\"cat\"\n'dog'\n", "cat dog"),
        ("'cat',\n'dog'\n", "cat dog"),
        ("0: 'cat'\n1: \"dog\"\n", "cat dog"),
        ("- cat\n- 'dog'\n", "cat dog"),
        ("# mine\n\ncat\ndog\n", "cat dog"),
        ("cat\n## of dogs\ndog\n#\n", "cat dog"),
        ("0 #cat\n1 #dog\n", "#cat #dog"),
        ("'#cat'\ndog", "#cat dog"),
        ("7\n3\n", "7 3"),
        ("thing-0\nthing-1\n", "thing-0 thing-1"),
        ("[cat]s\ndog\n", "[cat]s dog"),
    ],
)
def test_lines_are_read_with_their_indices(tmp_path: Path, content: str, names: str) -> None:
    assert read(tmp_path, "labels.txt", content).names == tuple(names.split())


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("thing 0\nthing 1\n", ("thing 0", "thing 1")),
        ("tench, Tinca tinca\ngoldfish\n", ("tench, Tinca tinca", "goldfish")),
        ("0 tench, Tinca tinca\n1 goldfish\n", ("tench, Tinca tinca", "goldfish")),
        ("cat\n3 dogs\n2 birds\n4\n", ("cat", "3 dogs", "2 birds", "4")),
        ("7 up", ("7 up",)),
        ("'1 cent'\n'2 cent'\n", ("1 cent", "2 cent")),
        ('"rock" and "roll"\nrock \'n\'\n', ('"rock" and "roll"', "rock 'n'")),
        ('say ""hi""\n"say ""hi"""\n', ('say ""hi""', 'say "hi"')),
        ("crane\ncrane\n", ("crane", "crane")),
        ("C# code\nF#\n", ("C# code", "F#")),
        ("a: b\nc: d\n", ("a: b", "c: d")),
    ],
)
def test_what_belongs_to_a_label_stays(
    tmp_path: Path, content: str, names: tuple[str, ...]
) -> None:
    assert read(tmp_path, "labels.txt", content) == reading.Labels(names, ())


@pytest.mark.parametrize(
    ("content", "names"),
    [
        ("index,label\n1,dog\n0,cat\n", "cat dog"),
        ("id;name\r\n0;cat\r\n1;dog\r\n", "cat dog"),
        ("sep=;\nid;name\n0;cat\n1;dog\n", "cat dog"),
        ("\tname\n0\tcat\n1\tdog\n", "cat dog"),
        ("Label,Class ID\ndog,1\ncat,0\n", "cat dog"),
        ("class,name\n1,dog\n0,cat\n", "cat dog"),
        ("label,name\n1,dog\n0,cat\n", "cat dog"),
        ("Nr;Bezeichnung\n1;dog\n0;cat\n", "cat dog"),
        ("0,cat\n1,dog\n", "cat dog"),
        ('0,"cat"\n1,"dog"\n', "cat dog"),
        ("cat,1\ndog,0\n", "dog cat"),
        ("cat\ndog\n", "cat dog"),
        ("label\ncat\ndog\n", "cat dog"),
        ("index,mid,display_name\n1,/m/1,dog\n0,/m/0,cat\n", "cat dog"),
        ("name,display_name\nn1,cat\nn2,dog\n", "cat dog"),
        ("name,photos\ncat,700\ndog,900\n", "cat dog"),
        ("wnid,name\nn01440764,cat\nn01443537,dog\n", "cat dog"),
        ("n01440764,cat\nn01443537,dog\n", "cat dog"),
        (",label,index\n0,cat,0\n1,dog,1\n", "cat dog"),
        ("index,label\n0,5\n1,3\n", "5 3"),
        ("0,5\n1,3\n", "5 3"),
        ("# made by hand\n\nindex,label\n0,cat\n1,dog\n", "cat dog"),
    ],
)
def test_tables_are_read_by_their_columns(tmp_path: Path, content: str, names: str) -> None:
    assert read(tmp_path, "labels.csv", content).names == tuple(names.split())


def test_a_quoted_cell_may_hold_what_separates_cells(tmp_path: Path) -> None:
    found = read(tmp_path, "labels.csv", 'index,label\n0,"tench, ""Tinca"" tinca"\n1,goldfish\n')
    assert found.names == ('tench, "Tinca" tinca', "goldfish")


@pytest.mark.parametrize(
    "value",
    [
        ["cat", "dog"],
        {"0": "cat", "1": "dog"},
        {"1": "dog", "0": "cat"},
        {"dog": 1, "cat": 0},
        {"0": ["n01440764", "cat"], "1": ["n01443537", "dog"]},
        [["n01440764", "cat"], ["n01443537", "dog"]],
        [[1, "dog"], [0, "cat"]],
        [["cat"], ["dog"]],
        [{"id": 1, "name": "dog"}, {"id": 0, "name": "cat", "supercategory": "animal"}],
        [{"name": "cat", "score": 0.5}, {"name": "dog", "score": 0.1}],
        [{"label": "cat"}, {"label": "dog"}],
        {"0": {"name": "cat"}, "1": {"name": "dog"}},
        {"n01440764": "cat", "n01443537": "dog"},
        {
            "model_type": "vit",
            "id2label": {"0": "cat", "1": "dog"},
            "label2id": {"cat": 0, "dog": 1},
        },
        {"label2id": {"dog": 1, "cat": 0}, "num_channels": 3},
        {"tfjsVersion": "1.3.1", "labels": ["cat", "dog"], "imageSize": 224},
        {"class_names": ["cat", "dog"]},
        {"names": {"0": "cat", "1": "dog"}, "nc": 2},
        {"categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}], "images": []},
    ],
    ids=lambda value: json.dumps(value)[:60],
)
@pytest.mark.parametrize("name", ["labels.json", "labels.txt"])
def test_json_is_read_as_what_it_is(tmp_path: Path, name: str, value: Any) -> None:
    for indent in (None, 2):
        found = read(tmp_path, name, json.dumps(value, indent=indent))
        assert found.names == ("cat", "dog")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("labels.txt", "{0: 'cat',\n 1: \"dog\",}\n"),
        ("labels.txt", "['cat', 'dog']"),
        ("labels.txt", "[('n01440764', 'cat'), ('n01443537', 'dog')]"),
        ("labels.txt", "['c\\x61t', u'd\\u006fg']"),
        ("map.pbtxt", ITEM.format(1, "cat") + ITEM.format(2, "dog")),
        ("map.pbtxt", ITEM.format(1, "dog") + ITEM.format(0, "cat")),
        ("map.txt", "item: { id: 0, name: '/m/1' display_name: \"cat\" } # first\n" + ITEM_1),
        ("data.yaml", "train: a/b\nnc: 2\nnames: ['cat', 'dog']\n"),
        ("data.yaml", "names: [cat, dog]  # mine\ntrain: x\n"),
        ("data.yaml", "names: [\n  cat,\n  dog,\n]\nnc: 2\n"),
        ("data.yaml", "names:\n  0: cat\n  1: 'dog' # good\nnc: 2\n"),
        ("data.yaml", 'names:\n- cat\n# and\n- "dog"\n'),
        ("data.yml", "- cat\n- dog\n"),
        ("data.yaml", "names: {1: dog, 0: cat}\n"),
    ],
)  # fmt: skip
def test_other_notations_are_read(tmp_path: Path, name: str, content: str) -> None:
    assert read(tmp_path, name, content).names == ("cat", "dog")


@pytest.mark.parametrize(
    "content",
    [
        "1 cat\n2 dog\n",
        "1,cat\n2,dog\n",
        "2: dog\n1: cat\n",
        '{"1": "cat", "2": "dog"}',
        '{"cat": 1, "dog": 2}',
        ITEM.format(1, "cat") + ITEM.format(2, "dog"),
    ],
)
def test_indices_from_1_are_said(tmp_path: Path, content: str) -> None:
    found = read(tmp_path, "labels.txt", content)
    assert found.names == ("cat", "dog")
    (note,) = found.notes
    assert "begin at 1" in note


def test_comments_a_lone_header_and_indices_that_end_lines_are_said(tmp_path: Path) -> None:
    (note,) = read(tmp_path, "a.txt", "# mine\ncat\n").notes
    assert "a line of the labels" in note
    assert "begins with #, which marks a comment to leave out" in note
    (note,) = read(tmp_path, "a.csv", "class\ncat\n").notes
    assert "line 1 of the labels" in note
    assert "`class`, is taken as the header" in note
    found = read(tmp_path, "a.txt", "/a/airfield 0\n/b/bakery 1\n")
    assert found.names == ("/a/airfield", "/b/bakery")
    assert "taken as indices" in found.notes[0]
    found = read(tmp_path, "a.txt", "number name\n0 cat\n1 dog\n")
    assert found.names == ("cat", "dog")
    assert "taken as a header" in found.notes[0]


@pytest.mark.parametrize(
    ("encoding", "noted"),
    [("utf-8", 0), ("utf-8-sig", 0), ("utf-16", 0), ("utf-32", 0), ("cp1252", 1)],
)
@pytest.mark.parametrize("content", ["Böhmische Drossel\nétourneau\n", "0,Drossel\n1,à voile\n"])
def test_encodings_are_told_apart(tmp_path: Path, content: str, encoding: str, noted: int) -> None:
    whole = read(tmp_path, "whole.txt", content).names
    found = read(tmp_path, "labels.txt", content.encode(encoding))
    assert found.names == whole
    assert len(found.notes) == noted
    if noted:
        accented = next(name for name in whole if not name.isascii())
        assert f"as in `{accented}`" in found.notes[0]


@pytest.mark.parametrize(
    "content",
    [
        "ёж\nкит\n".encode("cp1251"),
        "猫\n犬\n".encode("shift-jis"),
        "γάτα\n".encode("cp1253"),
        b"cat\n\x81dog\n",
        b"\xff\xfec",
        b"\x80\x04\x95\x13\x00\x00\x00\x00\x00\x00\x00]\x94(\x8c\x03cat\x94\x8c\x03dog\x94e.",
    ],
)
def test_other_code_pages_are_refused(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(BadInputError, match=r"the labels .*labels\.txt cannot be read as text"):
        read(tmp_path, "labels.txt", content)


def test_ids_of_imagenet_are_named_if_they_are_all_and_in_order(tmp_path: Path) -> None:
    found = read(tmp_path, "a.txt", "\n".join(WNIDS))
    assert found.names == IMAGENET
    assert "ImageNet's labels are shown" in found.notes[0]
    swapped = (WNIDS[1], WNIDS[0], *WNIDS[2:])
    found = read(tmp_path, "a.txt", "\n".join(swapped))
    assert found.names == swapped
    assert "in an unusual order" in found.notes[0]
    pairs = zip(swapped, ("goldfish", "tench", *IMAGENET[2:]), strict=True)
    found = read(tmp_path, "a.txt", "\n".join(f"{wnid} {name}" for wnid, name in pairs))
    assert found.names[:2] == ("goldfish", "tench")
    assert "in an unusual order" in found.notes[0]
    keras = {str(n): [WNIDS[n], IMAGENET[n]] for n in range(1000)}
    assert read(tmp_path, "a.json", json.dumps(keras)) == reading.Labels(IMAGENET, ())


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.txt", "0 cat\n1 dog\n3 bird\n", "not the indices 0 to 2, each once; .*quotes"),
        ("a.txt", "1 cent\n2 cent\n", "the numbers in .* are indices or part of the labels"),
        ("a.txt", "1 cent\n5 cent\n", "not the indices 0 to 1"),
        ("a.txt", "0: cat\n2: dog\n", "no label with the index 1, although the indices go up to 2"),
        ("a.txt", "0: cat\n0: dog\n", "line 2 of .* has the index 0, like line 1;"),
        ("a.txt", "5: cat\n6: dog\n", "begin at 5; number the labels from 0"),
        ("a.txt", "0 cat\n1 dog\nbird\n", "line 3 of .* has no index, but other lines have"),
        ("a.txt", "0 cat\n1 dog\n2\n", "line 3 of .* has no name, but other lines have"),
        ("a.txt", "cat\n\ndog\n", "line 2 of .* is empty"),
        ("a.txt", 'cat\n""\n', "line 2 of .* is empty"),
        ("a.txt", "cat\n#dog\n", "line 2 of .* begins with #, and it is unclear .*; put .* quotes"),
        ("a.txt", "# only\n", "hold only comments"),
        ("a.txt", "label\ncat\n", "unclear whether line 1 of .*, `label`, is a label or a header"),
        ("a.txt", "n01440764 cat\ndog\n", "line 2 of .* is not a WordNet id and a name"),
        ("a.txt", "n01440764 cat\nn01443537\n", "line 2 of .* is not a WordNet id"),
        ("a.txt", "entry {\n  target_class: 1\n}\n", "line 1 of .* begins a block, `entry {`"),
        ("a.txt", "cat\tFelis\ndog\tCanis\n", "which column of .* is the label"),
        ("a.txt", '["cat", "dog"', "not valid JSON: line 1: "),
        ("a.csv", "cat,Felis\ndog,Canis\n", "which column of .* is the label; .* index,label"),
        ("a.csv", "0,cat\n1,dog,big\n", "line 2 of .* has 3 cells, but line 1 has 2; put quotes"),
        ("a.csv", "index,name\n0,cat\n0,dog\n", "line 3 of .* has the index 0, like line 2;"),
        ("a.csv", "index,name\n0,cat\n2,dog\n", "no label with the index 1"),
        ("a.csv", "index,name\n0,cat\nx,dog\n", "line 3 of .* has `x` in the column of indices"),
        ("a.csv", "index,name\n0.0,cat\n1.0,dog\n", r"line 2 of .* has `0\.0` in the column"),
        ("a.csv", "id,index,name\n0,1,cat\n1,0,dog\n", "several columns of indices"),
        ("a.csv", "name,label\ncat,Cat\ndog,Dog\n", "columns `name` and `label` .* display_name"),
        ("a.csv", "index,name\n0,cat\n1,\n", "line 3 of .* has no label"),
        ("a.csv", "index,count\n0,5\n1,7\n", "no column of labels; give it the header label"),
        ("a.csv", "0,1\n1,2\n2,0\n", "which column of .* is the index"),
        ("a.json", "cat\ndog\n", "not valid JSON: line 1: expecting value"),
        ("a.json", "[]", "are empty"),
        ("a.json", "5", "neither a list nor a dictionary"),
        ("a.json", '["cat", null]', "item 2 of .* is not a label like the others"),
        ("a.json", '["cat", ["dog"]]', "item 2 of .* is not a label like the others"),
        ("a.json", '["cat", ""]', "item 2 of .* is empty"),
        ("a.json", '{"0": "cat", "0": "dog"}', "have the key `0` twice"),
        ("a.json", '{"0": "cat", "2": "dog"}', "no label with the index 1"),
        ("a.json", '{"cat": 0, "dog": 0}', "entry 2 of .* has the index 0, like entry 1;"),
        ("a.json", '{"cat": "Katze"}', "neither indices to names nor names to indices"),
        ("a.json", '{"0": 1, "1": 2, "2": 0}', "a name to each index or an index to each name"),
        ("a.json", '{"labels": ["a", "b"], "classes": ["b", "a"]}', "`labels` and `classes`; keep"),
        ("a.json", '[{"name": "cat", "label": "Cat"}]', "`name` and `label` .* display_name"),
        ("a.json", '[{"name": "cat"}, {"id": 1}]', "item 2 of .* has no label as text"),
        ("a.json", "[" * 100_000, "not valid JSON: it is nested too deep"),
        ("a.pbtxt", "item { id: 1 name: 'cat'", "line 1 of .* is not part of a label map"),
        ("a.pbtxt", "item { id: 1 }", "item 1 of .* has no label as text"),
        ("a.pbtxt", "item {\n id: 1\n name: 'a'\n}\nthing {\n}\n", "line 5 .*label map at `thing`"),
        ("a.pbtxt", ITEM.format(1, "cat") + ITEM.format(1, "dog"), "has the index 1, like item 1"),
        ("a.yaml", "names:\n  - a: b\n", "line 2 of .* is not a plain text"),
        ("a.yaml", "train: x\n", "line 1 of .* is not an entry of a list"),
        ("a.yaml", "names: &x\n  - cat\n", "line 1 of .* is not a list of names"),
        ("a.yaml", "nc: 3\nnames: [cat, dog]\n", "say `nc: 3`, but have 2 names"),
    ],
)  # fmt: skip
def test_what_can_be_read_in_two_ways_or_not_at_all_is_refused(
    tmp_path: Path, name: str, content: str, fault: str
) -> None:
    with pytest.raises(BadInputError, match=fault) as raised:
        read(tmp_path, name, content)
    assert str(tmp_path / name) in str(raised.value)
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2


def test_a_sidecar_keeps_the_notes_of_its_labels_and_whose_labels_hold_gives_them(
    tmp_path: Path,
) -> None:
    (tmp_path / "labels.txt").write_text("1 cat\n2 dog\n", "utf-8")
    sidecar = tmp_path / "m.toml"
    sidecar.write_text('labels = "labels.txt"\n', "utf-8")
    declared = read_sidecar(sidecar)
    assert declared.labels == ("cat", "dog")
    assert declared.label_notes is not None
    assert Declared(name="m").over(declared).label_notes == declared.label_notes
    assert Declared(labels=("a", "b")).over(declared).label_notes is None
    sidecar.write_text("label_notes = ['all is well']\n", "utf-8")
    with pytest.raises(BadInputError, match="label_notes: this key cannot be set in a file"):
        read_sidecar(sidecar)
