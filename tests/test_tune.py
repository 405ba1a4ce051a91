"""`tune`: the same front wherever it is computed, kept when interrupted, its bytes the site's."""

from __future__ import annotations

import json
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import brotli
import numpy as np
import pytest

from tests import command_line, tiny_models
from tests.dark_and_light import LABELS, brightness
from tests.dark_and_light import photos as dark_and_light_photos
from tests.tuning import Hearing, judged_by, run, words_for
from tests.watchdog import until
from toolchain.cache.store import Store
from toolchain.errors import BadInputError
from toolchain.pipeline import tune
from toolchain.quantize import points as curve
from toolchain.quantize.judge import drop_of
from toolchain.quantize.settings import QuantizeSettings
from toolchain.records import build_report
from toolchain.records.pareto import ParetoFront
from toolchain.sources.request import Request

pytestmark = pytest.mark.xdist_group("tune")

PHOTOS = 60
JUDGED = 30
LEVELS = (2.0, 3.0, 4.5, 6.0)

posix = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an ImageFolder of noise of many colours, with another, to judge by, beside it."""
    from PIL import Image

    root = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for name, count in (("photos", PHOTOS), ("judged", JUDGED)):
        for number in range(count):
            kind = root / name / tiny_models.names()[number % tiny_models.CLASSES]
            kind.mkdir(exist_ok=True, parents=True)
            pixels = random.integers(0, random.integers(2, 256, 3), (40, 44, 3)).astype(np.uint8)
            Image.fromarray(pixels).save(kind / f"{number:02}.png")
    return root / "photos"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model of some two thousand weights, with its labels beside it."""
    folder = tmp_path_factory.mktemp("model")
    labels = ", ".join(f'"{name}"' for name in tiny_models.names())
    (folder / "tiny.toml").write_text(f"labels = [{labels}]\nvalue_range = [0, 1]\n", "utf-8")
    return tiny_models.saved_model(folder / "tiny", width=64)


@pytest.fixture(scope="module")
def options(model: Path, photos: Path) -> tune.TuneOptions:
    return tune.TuneOptions(
        request=Request(str(model), lockfile=model.with_name("toolchain.lock.json")),
        settings=QuantizeSettings(
            "auto", calibration=photos, evaluation=judged_by(photos), max_drop=20.0
        ),
        bits=LEVELS,
    )


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tuned") / "cache"


@pytest.fixture(scope="module")
def front(options: tune.TuneOptions, cache: Path) -> ParetoFront:
    """Return the front that one process computes."""
    progress = Hearing()
    found = tune.tune(options, store=Store(cache), progress=progress)
    assert progress.computed == len(LEVELS) + 2
    return found


@pytest.fixture
def untuned(front: ParetoFront, cache: Path, tmp_path: Path) -> Path:
    """Return a cache that has the converted model and no point."""
    assert front
    copy = tmp_path / "cache"
    shutil.copytree(cache, copy)
    shutil.rmtree(copy / "v1" / "tuned")
    return copy


# --- the front -------------------------------------------------------------------------------


def test_more_bits_take_more_bytes_and_all_is_judged_on_the_same_photos(front: ParetoFront) -> None:
    assert [point.bits for point in front.points] == list(LEVELS)
    sizes = [point.bytes for point in front.points]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == len(sizes)
    assert [point.weights for point in front.converted] == ["float16", "uint8"]
    assert sizes[0] < front.converted[0].bytes
    for point in (*front.points, *front.converted):
        assert point.verdict.photos == JUDGED
        assert point.verdict.drop is not None
        assert point.drop == drop_of(point.verdict)
    assert {point.rounded_by for point in front.points} == {f"{PHOTOS} photos"}
    assert not front.blind
    assert front.pareto == curve.pareto(front.points)
    assert front.chosen is not None
    assert front.points[front.chosen].drop <= 20.0


def test_the_same_input_gives_the_same_front_again(
    options: tune.TuneOptions, front: ParetoFront, untuned: Path
) -> None:
    curve._prepared.cache_clear()
    progress = Hearing()
    assert tune.tune(options, store=Store(untuned), progress=progress) == front
    assert progress.computed == len(LEVELS) + 2
    again = Hearing()
    assert tune.tune(options, store=Store(untuned), progress=again) == front
    assert again.computed == 0
    assert again.said == ["6 of 6 points were cached by an earlier run"]


def test_another_photo_makes_every_point_anew(
    options: tune.TuneOptions, front: ParetoFront, cache: Path, photos: Path, tmp_path: Path
) -> None:
    other = tmp_path / "photos"
    shutil.copytree(photos, other)
    first = next(iter(sorted((other / "thing 0").iterdir())))
    shutil.copyfile(next(iter((other / "thing 1").iterdir())), first)
    assert front
    progress = Hearing()
    changed = replace(options.settings, calibration=other)
    tune.tune(
        replace(options, settings=changed, bits=LEVELS[:1]), store=Store(cache), progress=progress
    )
    assert progress.computed == 3


@posix
def test_a_cluster_finds_the_same_though_a_worker_is_killed(
    options: tune.TuneOptions, front: ParetoFront, untuned: Path
) -> None:
    import distributed

    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50
        ) as cluster,
        distributed.Client(cluster, set_as_default=False) as client,
    ):
        pids = client.run(os.getpid)
        killed: list[int] = []

        def kill_one_at_work() -> None:
            busy = [worker for worker, tasks in client.processing().items() if tasks]
            killed.append(pids[busy[0]])
            os.kill(killed[0], signal.SIGKILL)

        progress = Hearing(kill_one_at_work)
        by_cluster = replace(options, engine=cluster.scheduler_address)
        assert tune.tune(by_cluster, store=Store(untuned), progress=progress) == front
        assert len(killed) == 1
        assert progress.computed == len(LEVELS) + 2


@posix
def test_a_run_that_was_killed_goes_on_where_it_stopped(
    options: tune.TuneOptions, front: ParetoFront, model: Path, photos: Path, untuned: Path
) -> None:
    points = untuned / "v1" / "tuned"
    with command_line.started(*words_for(model, photos), cache=untuned) as process:
        until(
            lambda: process.poll() is not None or (points.is_dir() and any(points.iterdir())),
            "the first point is kept",
        )
        process.kill()
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    kept = len(list(points.iterdir()))
    assert 1 <= kept < 7
    progress = Hearing()
    levels = tune.levels(2.0, 6.0, 5)
    again = tune.tune(replace(options, bits=levels), store=Store(untuned), progress=progress)
    assert progress.said[0] == f"{kept} of 7 points were cached by an earlier run"
    assert progress.computed == 7 - kept
    shared = {point.bits: point for point in again.points}
    assert all(shared[point.bits] == point for point in front.points if point.bits in shared)
    assert again.converted == front.converted


def test_a_worker_that_sees_other_files_says_so(
    options: tune.TuneOptions, front: ParetoFront, cache: Path
) -> None:
    from toolchain.tfjs import stage as tfjs

    assert front
    (entry,) = (
        entry
        for entry in (cache / "v1" / "tfjs").iterdir()
        if '"quantization":"none"' in (entry / "content" / "converted.json").read_text("utf-8")
    )
    record = (entry / "content" / "converted.json").read_text("utf-8")
    converted = tfjs.Converted.model_validate_json(record)
    source = tfjs.TfjsModel(entry / "content" / "model", converted, entry.name, reused=True)
    basis = curve.Basis("another", source, options.settings)
    with pytest.raises(BadInputError, match="a worker has other photos"):
        curve.compute(curve.Task(basis, "packed", 4.0))
    elsewhere = replace(source, folder=cache / "nowhere")
    with pytest.raises(BadInputError, match="workers must see it under the same path"):
        curve.compute(curve.Task(replace(basis, source=elsewhere), "packed", 4.0))


# --- what it is held to ----------------------------------------------------------------------


def brotli_bytes(site: Path) -> int:
    """Return what a built site's `model.json` and packed weights take, by their files alone."""
    artifacts = json.loads((site / "report.json").read_text("utf-8"))["artifacts"]
    graph = brotli.compress((site / "model" / artifacts["model_json"]).read_bytes(), quality=11)
    shards = [(site / "model" / name).read_bytes() for name in artifacts["shards"]]
    return sum(map(len, (graph, *shards)))


def test_bytes_are_those_that_the_page_loads(
    front: ParetoFront,
    cache: Path,
    model: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TOOLCHAIN_CACHE", str(cache))
    words = ("build", "--model", model, "--calibration", photos, "--evaluation", judged_by(photos))
    code, _, err = run(monkeypatch, capfd, *words, "--quantize", "mixed", "--out", "mixed")
    assert code == 0, err
    (mixed,) = (point for point in front.points if point.bits == 4.5)
    assert mixed.bytes == brotli_bytes(Path("mixed"))
    travelling = sum(path.stat().st_size for path in Path("mixed/model").glob("*1of1.*.bin"))
    assert 0 < travelling < mixed.bytes

    # Half a kilobyte less than mixed takes: every byte of the graph has to count.
    most = mixed.bytes - 500
    auto = (*words, "--quantize", "auto", "--max-drop", "100", "--max-bytes", str(most))
    code, _, err = run(monkeypatch, capfd, *auto, "--out", "auto")
    assert code == 0, err
    assert brotli_bytes(Path("auto")) <= most
    assert f"{brotli_bytes(Path('auto')) / 1e6:.3f} MB after Brotli" in err

    none = (*words, "--quantize", "auto", "--max-drop", "100", "--max-bytes", "400")
    code, _, err = run(monkeypatch, capfd, *none, "--out", "none")
    assert code == 1
    assert "no plan keeps the drop under 100 points within 0.000 MB after Brotli" in err
    assert not Path("none").exists()


def test_the_command_prints_a_table_and_a_plot_or_the_record(
    front: ParetoFront,
    cache: Path,
    model: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TOOLCHAIN_CACHE", str(cache))
    words = words_for(model, photos)
    code, record, err = run(monkeypatch, capfd, *words, "--json")
    assert code == 0, err
    found = ParetoFront.model_validate_json(record)
    assert found.converted == front.converted
    assert [point.bits for point in found.points] == [2.0, 3.0, 4.0, 5.0, 6.0]
    code, printed, err = run(monkeypatch, capfd, *words)
    assert code == 0, err
    assert "7 of 7 points were cached" in err
    assert "\x1b" not in printed
    rows = {line.split()[0]: line for line in printed.splitlines() if line.strip()}
    assert "1.000" in rows["float16"]
    assert "converter's" in rows["uint8"]
    assert printed.count("front, auto") == 1
    assert f"judged on {JUDGED} photos it was not rounded by" in printed
    plot = printed[printed.index("┌") :]
    assert plot.count("●") + plot.count("○") + plot.count("◆") == len(found.points)
    assert plot.count("◆") == 1
    assert "kB after Brotli" in plot
    assert max(len(line) for line in plot.splitlines()) <= 100


def test_a_site_of_the_same_model_gets_the_front(
    front: ParetoFront,
    cache: Path,
    model: Path,
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TOOLCHAIN_CACHE", str(cache))
    site = tmp_path / "site"
    build = ("build", "-m", model, "-q", "float16", "--out", site, "--quiet")
    assert run(monkeypatch, capfd, *build) == (0, "", "")
    words = (*words_for(model, photos), "--site", site)
    code, record, err = run(monkeypatch, capfd, *words, "--json")
    assert code == 0, err
    assert build_report.read(site).front == ParetoFront.model_validate_json(record)
    assert str(front.points[0].verdict.photos) in (site / "report.html").read_text("utf-8")
    # What is no site is said before anything is computed.
    code, _, err = run(monkeypatch, capfd, *words_for(model, photos), "--site", tmp_path)
    assert code == 2
    assert err.count("\n") == 1
    assert "no report.json" in err


def test_without_photos_it_warns_and_judges_by_generated_pictures(
    model: Path,
    untuned: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TOOLCHAIN_CACHE", str(untuned))
    words = ("tune", model, "--points", "1", "--format", "stock")
    code, out, err = run(monkeypatch, capfd, *words)
    assert code == 0, err
    assert (
        "warning: no photos to judge by: drops are expected from the float network's scores" in err
    )
    assert "Rounded by 64 generated pictures, judged on 256 generated pictures." in out
    assert "drops in points of expected top-1; auto decides by the upper limit" in out
    assert " stock " in out


def test_labelled_photos_find_the_pixel_values_as_in_a_build(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TOOLCHAIN_CACHE", str(tmp_path / "cache"))
    path = tiny_models.save_keras(brightness((-1.0, 1.0)), tmp_path / "mine.keras")
    (tmp_path / "labels.txt").write_text("\n".join(LABELS), "utf-8")
    judged = dark_and_light_photos(tmp_path / "judged")
    words: list[str | Path] = [
        *("tune", path, "--labels", tmp_path / "labels.txt", "--points", "1", "--json"),
        *("--lock-file", tmp_path / "toolchain.lock.json", "--evaluation"),
    ]
    code, record, err = run(monkeypatch, capfd, *words, judged)
    assert code == 0, err
    assert "are a guess: -1…1, because with them 24 of 24 labelled photos get the right" in err
    front = ParetoFront.model_validate_json(record)
    # In a wrong range, all photos get the same label.
    for point in (*front.points, *front.converted):
        assert point.verdict.reference_top1 is not None
        assert point.verdict.reference_top1.value == 1.0
    # Photos without labels find nothing.
    code, record, err = run(monkeypatch, capfd, *words, judged / "dark")
    assert (code, record) == (2, "")
    assert "mine.keras was trained on; " in err.splitlines()[-1]
    assert "--value-range" in err.splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--from-bits", "5", "--to-bits", "4"), "--to-bits 4 is not above --from-bits 5"),
        (("--format", "other"), "--format other is not known"),
        (("--calibration", "nowhere"), "the photos nowhere cannot be read"),
        (("--engine", "tcp://host:1", "--workers", "2"), "leave it out with --engine"),
    ],
)
def test_what_cannot_be_used_is_one_sentence(
    model: Path,
    untuned: Path,
    words: tuple[str, ...],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TOOLCHAIN_CACHE", str(untuned))
    code, out, err = run(monkeypatch, capfd, "tune", model, *words)
    assert (code, out) == (2, "")
    assert said in err.splitlines()[-1]
