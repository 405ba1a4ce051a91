"""Photos of none of a model's labels: what `evaluate` counts, and prints, and keeps."""

from __future__ import annotations

import json
import shutil
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests import none_model
from toolchain import cli
from toolchain.evaluation import none_verdict
from toolchain.evaluation.none_verdict import Seen
from toolchain.metrics.intervals import wilson
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.records import build_report
from toolchain.records.card import InputSpec, ModelCard, Provenance
from toolchain.records.evaluation import Evaluation
from toolchain.sources.request import Request
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("foreign")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return none_model.write(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def site(model: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("judged") / "site"
    options = BuildOptions(
        Request(str(model), lockfile=out.with_name("toolchain.lock.json")),
        out,
        weights=Stored("float16"),
    )
    build(options, store=session_store, progress=Silent())
    return out


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return six photos of the labels, of which one looks like nothing that the model knows."""
    root = tmp_path_factory.mktemp("photos")
    for number in range(3):
        none_model.photo(root / "red" / f"{number}.png", "red", number)
    for number, colour in enumerate(("green", "green", "blue")):
        none_model.photo(root / "green" / f"{number}.png", colour, number)
    return root


@pytest.fixture(scope="module")
def foreign(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return four photos of other things, of which one looks red, and a file that is none."""
    root = tmp_path_factory.mktemp("foreign")
    none_model.photo(root / "sky.png", "blue")
    none_model.photo(root / "deep" / "street.png", "grey")
    none_model.photo(root / "deep" / "er" / "sea.png", "blue", 1)
    none_model.photo(root / "deep" / "er" / "tomato.png", "red")
    (root / "deep" / "notes.txt").write_text("no picture", "utf-8")
    return root


def called(*words: object, command: str = "evaluate") -> int:
    """Call a command with these words; return its exit code."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["toolchain", command, *map(str, words)])
        with pytest.raises(SystemExit) as end:
            cli.main()
    return int(end.value.code or 0)


def judged(capfd: pytest.CaptureFixture[str], *words: object) -> Evaluation:
    capfd.readouterr()
    assert called(*words, "--json") == 0
    return Evaluation.model_validate_json(capfd.readouterr().out)


@pytest.mark.parametrize("what", ["site", "model"])
def test_own_photos_are_kept_and_foreign_ones_let_through(
    what: str,
    site: Path,
    model: Path,
    photos: Path,
    foreign: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    path = {"site": site, "model": model}[what]
    found = judged(capfd, path, photos, "--foreign", foreign).none_of_these
    assert found is not None
    assert found.kept is not None
    assert found.let_through is not None
    assert (found.kept.hits, found.kept.of) == (5, 6)
    assert (found.kept.low, found.kept.high) == pytest.approx(wilson(5, 6))
    assert (found.called_none.hits, found.called_none.of) == (1, 6)
    assert (found.let_through.hits, found.let_through.of) == (1, 4)
    assert (found.let_through.low, found.let_through.high) == pytest.approx(wilson(1, 4))
    assert (found.foreign_folder, found.foreign_broken) == (str(foreign), 1)


def test_the_rule_does_not_change_top_1(
    site: Path, photos: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    found = judged(capfd, site, photos)
    assert found.verdict.top1 is not None
    # The blue photo's scores are nearly equal, and the first label's is the higher one.
    assert (found.verdict.top1.hits, found.verdict.top1.of) == (5, 6)
    assert found.none_of_these is not None
    assert found.none_of_these.let_through is None


def test_without_labels_only_what_is_called_none_is_counted(
    site: Path, foreign: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    for path in foreign.rglob("*.png"):
        shutil.copy(path, flat)
    found = judged(capfd, site, flat).none_of_these
    assert found is not None
    assert found.kept is None
    assert (found.called_none.hits, found.called_none.of) == (3, 4)


def test_the_figures_are_printed_and_kept_in_the_report(
    site: Path, photos: Path, foreign: Path, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    capfd.readouterr()
    assert called(copy, photos, "--foreign", foreign) == 0
    said = capfd.readouterr().out
    assert "photos with a label that keep their tags" in said
    assert "83.3 %" in said
    assert "foreign photos that get a tag" in said
    assert "25.0 %" in said
    assert f"Left out of {foreign}, because they cannot be read as pictures: 1" in said
    evaluation = build_report.read(copy).evaluation
    assert evaluation is not None
    assert evaluation.none_of_these is not None
    page = (copy / "report.html").read_text("utf-8")
    assert "83.3 % (43.6 … 97.0) of 6 photos with a label keep their tags" in page
    assert "25.0 % (4.6 … 69.9) of 4 foreign photos get a tag" in page


def test_foreign_photos_need_a_model_with_the_rule(
    photos: Path, foreign: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    plain = none_model.write(tmp_path, with_rule=False)
    assert called(plain, photos, "--foreign", foreign) == 2
    (line,) = capfd.readouterr().err.strip().splitlines()[-1:]
    assert "colours has no rule none_of_these, so it gives every photo a tag" in line
    assert "leave --foreign out" in line


def test_inspect_tells_that_there_is_a_rule(model: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert called(model, command="inspect") == 0
    said = capfd.readouterr().out
    assert "none of these below a cosine of 0.800 to 2 centres of 3 features" in said


def test_a_folder_of_no_foreign_photos_is_refused(
    site: Path, photos: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "a.txt").write_text("no picture", "utf-8")
    assert called(site, photos, "--foreign", tmp_path / "other") == 2
    assert "none of the 1 files in" in capfd.readouterr().err


# --- what counts as none ---------------------------------------------------------------------


def card(task: str) -> ModelCard:
    return ModelCard.model_validate(
        {
            "provenance": Provenance(name="a", source="b", licence="c", sha256="0" * 64),
            "input": InputSpec(height=8, width=8, value_range=(0, 1)),
            "label_offset": 0,
            "labels": none_model.LABELS,
            "task": task,
            "threshold": 0.5,
            "none_of_these": none_model.RULE,
        }
    )


SEEN = Seen(
    cosines=np.array([0.9, 0.9, 0.7, 0.7]),
    scores=np.array([[0.6, 0.4], [0.4, 0.3], [0.6, 0.4], [0.4, 0.3]]),
)


def test_for_one_label_a_photo_only_scores_do_not_count() -> None:
    far = none_verdict.is_none(card("single-label"), SEEN)
    assert far.tolist() == [False, False, True, True]


def test_for_several_labels_a_photo_without_a_tag_is_none_too() -> None:
    far = none_verdict.is_none(card("multi-label"), SEEN)
    assert far.tolist() == [False, True, True, True]
    has_label = np.array([True, True, False, False])
    found = none_verdict.judge(card("multi-label"), SEEN, has_label, None)
    assert found.kept is not None
    assert (found.kept.hits, found.kept.of) == (1, 2)
    assert json.loads(found.model_dump_json())["let_through"] is None
