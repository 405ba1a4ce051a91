"""Label files in every format that is read, and how they are damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.fuzz import damage
from tests.fuzz.reader import Reader, Strategy
from toolchain.labels import reading
from toolchain.photos import photo_folder, photo_labels
from toolchain.text import first_odd

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def _labelled(name: str) -> Callable[[bytes, Path], object]:
    def read(content: bytes, folder: Path) -> None:
        path = folder / name
        path.write_bytes(content)
        found = reading.read(path)
        assert found.names
        assert all(label.strip() == label != "" for label in found.names)
        assert not any(first_odd(label) for label in found.names)
        names = {line.decode("utf-8", "surrogateescape")[:20] for line in content.split(b"\n")[:4]}
        photo_folder.label_indices(names, found.names, folder)

    return read


def _labels_in_other_encodings() -> Strategy:
    whole = "cat\r\nBöhmische Drossel\r\nélan\r\n"
    return damage.bytes_like(
        whole.encode("utf-16"), whole.encode("utf-32"), whole.encode("cp1252"), whole.encode()
    )


def _of_photos(content: bytes, folder: Path) -> None:
    (folder / "photos" / "sub").mkdir(parents=True)
    for name in ("a.jpg", "b.jpg", "sub/c.png"):
        (folder / "photos" / name).touch()
    path = folder / "labels.csv"
    path.write_bytes(content)
    found = photo_folder.find(folder / "photos", by_folders=False)
    told = photo_labels.read(path, found, ("cat", "dog", "a;b"))
    assert told.truth.shape == (3, 3)
    assert told.known.any()
    assert not told.truth[:, ~told.known].any()


READERS: dict[str, Reader] = {
    "labels": Reader(
        lambda: damage.texts_like(
            *("cat\ndog\n", "a, b\r\nc\n", "0 cat\n1: dog\n", "n01440764 tench\nn01443537 b\n"),
            *("cat 0\ndog 1\n", "# a\n'b'\n", "{0: 'a', 1: 'b'}", "- a\n- b\n"),
        ),
        _labelled("labels.txt"),
    ),
    "labels-encoded": Reader(_labels_in_other_encodings, _labelled("labels.txt")),
    "labels-csv": Reader(
        lambda: damage.texts_like(
            'index,label\n0,"a, b"\n1,c\n', "0;a\n1;b\n", "a\tn01440764\t1\nb\tn01443537\t0\n"
        ),
        _labelled("labels.csv"),
    ),
    "labels-json": Reader(
        lambda: damage.json_like(
            ["a", "b"],
            {"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]},
            {"a": 1, "b": 0},
            {"id2label": {"0": "a", "1": "b"}, "label2id": {"a": 0, "b": 1}},
            [{"id": 0, "name": "a"}, {"id": 1, "name": "b"}],
        ),
        _labelled("labels.json"),
    ),
    "labels-pbtxt": Reader(
        lambda: damage.texts_like(
            'item {\n  id: 1\n  name: \'a\'\n}\nitem { id: 2 name: "n" display_name: "b" }\n'
        ),
        _labelled("labels.pbtxt"),
    ),
    "labels-yaml": Reader(
        lambda: damage.texts_like("nc: 2\nnames:\n  0: a\n  1: 'b'\n", "names: [a, 'b']\n"),
        _labelled("data.yaml"),
    ),
    "photo-labels": Reader(
        lambda: damage.texts_like(
            *("a.jpg,cat;dog\nb,\nsub/c.png,a;b\n", "id;labels\na;1\nb;cat|dog\nc;\n"),
            "file,cat,dog\na.jpg,0,1\nb.jpg,1,1\nc.png,0,0\n",
        ),
        _of_photos,
    ),
}
