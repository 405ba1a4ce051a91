"""The catalogue: complete, consistent, and written as the hosts' clients write it."""

from __future__ import annotations

import pytest

from toolchain.cli import build
from toolchain.labels import imagenet
from toolchain.sources import kaggle, tfhub
from toolchain.sources.catalogue import APPLICATIONS, DEFAULT, EMBEDDED, ENTRIES, VGG16, Entry
from toolchain.sources.request import Kind, parse

REMOTE = [
    entry
    for entry in ENTRIES.values()
    if entry.name.startswith(("mobilenet-v1", "mobilenet-v2", "mobilenet-v3"))
]


@pytest.mark.parametrize(
    ("generation", "count"), [("mobilenet-v1", 16), ("mobilenet-v2", 22), ("mobilenet-v3", 4)]
)
def test_every_published_model_of_a_generation_is_there(generation: str, count: int) -> None:
    assert sum(name.startswith(f"{generation}-") for name in ENTRIES) == count


def test_besides_there_are_mobilenet_v4_and_efficientnet_lite() -> None:
    assert len(ENTRIES) == 16 + 22 + 4 + 2 + 5
    assert ENTRIES[EMBEDDED].tfhub is None
    assert ENTRIES[EMBEDDED].kaggle is None
    assert parse(EMBEDDED).kind is Kind.EMBEDDED


def test_names_and_handles_belong_to_one_model_each() -> None:
    assert [entry.name for entry in ENTRIES.values()] == list(ENTRIES)
    assert len({entry.tfhub for entry in REMOTE}) == len(REMOTE)
    assert len({entry.kaggle for entry in REMOTE}) == len(REMOTE)


@pytest.mark.parametrize("entry", REMOTE, ids=lambda entry: entry.name)
def test_handles_are_as_their_hosts_know_them(entry: Entry) -> None:
    assert entry.tfhub is not None
    assert entry.kaggle is not None
    assert tfhub.canonical(entry.tfhub) == entry.tfhub
    assert kaggle.canonical(entry.kaggle) == entry.kaggle
    assert parse(entry.name).kind is Kind.CATALOGUE
    assert parse(entry.tfhub).kind is Kind.TFHUB
    assert parse(f"kaggle:{entry.kaggle}").kind is Kind.KAGGLE
    assert str(entry.size) in entry.tfhub
    assert str(entry.size) in entry.kaggle


def test_other_handles_are_as_their_hosts_know_them() -> None:
    others = [entry for entry in ENTRIES.values() if entry not in REMOTE]
    for entry in others:
        kinds = {parse(handle).kind for handle in entry.handles}
        assert kinds == (
            {Kind.HF} if "v4" in entry.name else set() if entry.name == EMBEDDED else {Kind.TFHUB}
        )
    for name in APPLICATIONS:
        assert (parse(name).kind, parse(name.upper().replace("KERAS", "keras")).name) == (
            Kind.KERAS,
            name,
        )


def test_the_default_is_in_it_and_the_same_everywhere() -> None:
    assert DEFAULT in ENTRIES
    assert build.DEFAULT_MODEL == DEFAULT


def test_what_a_name_declares_settles_the_whole_card() -> None:
    for entry in ENTRIES.values():
        declared = entry.declare()
        # What the catalogue leaves out is as with most models: no mean, single-label, and so on.
        settled = {"name", "licence", "labels", "label_offset", "height", "width", "value_range"}
        assert None not in declared.model_dump(include=settled).values(), entry.name
        assert declared.labels == imagenet.labels()
        assert (declared.height, declared.width) == (entry.size, entry.size)
        assert declared.label_offset == (1 if entry in REMOTE else 0)


def test_the_labels_are_a_thousand_and_every_one_says_something() -> None:
    labels = imagenet.labels()
    assert len(labels) == imagenet.CLASSES
    assert all(label == label.strip() != "" for label in labels)
    assert labels[0] == "tench"
    assert labels[-1].startswith("toilet")


def test_figures_are_those_of_small_models_and_vgg16_is_none() -> None:
    assert all(0 < (entry.multiply_adds or 0) < 3000 for entry in ENTRIES.values())
    assert all(entry.parameters < 14 for entry in (*ENTRIES.values(), *APPLICATIONS.values()))
    assert all(40 < entry.top1 < 82 for entry in ENTRIES.values())
    assert VGG16.name not in ENTRIES
    # Howard et al. 2017, table 8: MobileNet V1 1.0 against VGG16.
    best = ENTRIES["mobilenet-v1-100-224"]
    assert VGG16.parameters / best.parameters > 32
    assert (VGG16.multiply_adds or 0) / (best.multiply_adds or 1) > 27
