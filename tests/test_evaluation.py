"""The evaluation of sites and sources: the same result wherever it is computed."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests import command_line, tiny_models
from tests.watchdog import HANG_S, until
from toolchain import cli
from toolchain.errors import BadInputError
from toolchain.evaluation.stage import EvaluationOptions
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.pipeline.evaluate import evaluate
from toolchain.progress import Silent
from toolchain.records import build_report
from toolchain.records.card import Declared
from toolchain.records.evaluation import Evaluation
from toolchain.sources.request import Request
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Unit

pytestmark = pytest.mark.xdist_group("evaluation")

COUNT = 160  # photos that the tests make: ten batches

posix = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")


# --- networks --------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an ImageFolder of noise of many colours, the same in every run."""
    from PIL import Image

    root = tmp_path_factory.mktemp("photos")
    random = np.random.default_rng(0)
    for number in range(COUNT):
        kind = root / tiny_models.names()[number % tiny_models.CLASSES]
        kind.mkdir(exist_ok=True)
        top = random.integers(2, 256, 3)
        pixels = random.integers(0, top, (40, 44, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(kind / f"{number:03}.png")
    return root


@pytest.fixture(scope="module")
def site(tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a site of the tiny model with its weights as they are."""
    out = tmp_path_factory.mktemp("judged") / "site"
    options = BuildOptions(
        request=Request(model=str(tiny), lockfile=out.with_name("toolchain.lock.json")),
        out=out,
        weights=Stored("none"),
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
    )
    build(options, store=session_store, progress=Silent())
    return out


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model that often disagrees with the tiny one."""
    return tiny_models.saved_model(tmp_path_factory.mktemp("other") / "other", width=6)


def test_a_site_agrees_with_its_own_source(site: Path, folder: Path, session_store: Store) -> None:
    options = EvaluationOptions(Request(str(site)), folder)
    found = evaluate(options, store=session_store, progress=Silent())
    verdict = found.verdict
    assert found.model.form == "site, none"
    assert found.reference is not None
    assert found.reference.form == "SavedModel"
    assert found.reference.sha256 == found.model.sha256
    assert found.note is None
    assert verdict.photos == COUNT
    assert verdict.agreement is not None
    assert verdict.agreement.hits == COUNT
    assert verdict.drop is not None
    assert (verdict.drop.points, verdict.drop.lost, verdict.drop.won) == (0, 0, 0)
    assert verdict.score_shift is not None
    assert verdict.score_shift < 1e-5
    assert verdict.top5 is not None
    assert verdict.top5.hits == COUNT  # there are five labels


def test_what_a_site_changed_is_kept_in_its_report(
    site: Path, other: Path, folder: Path, store: Store, tmp_path: Path
) -> None:
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    options = EvaluationOptions(Request(str(copy)), folder, reference=Request(str(other)))
    found = evaluate(options, store=store, progress=Silent())
    agreement = found.verdict.agreement
    assert agreement is not None
    changed = agreement.of - agreement.hits
    assert changed > 0
    assert len(found.changed) == min(changed, 60)
    for change in found.changed:
        assert change.reference.label != change.model.label
        assert change.truth == change.photo.partition("/")[0]
    scores = [change.reference.score for change in found.changed]
    assert scores == sorted(scores, reverse=True)

    report = build_report.read(copy)
    assert report.evaluation == found
    assert set(report.thumbnails) == {change.photo for change in found.changed}
    page = (copy / "report.html").read_text("utf-8")
    assert page.count('<img src="data:image/jpeg;base64,') == len(found.changed)


def test_a_report_that_cannot_be_written_costs_no_evaluation(
    site: Path, folder: Path, session_store: Store, tmp_path: Path
) -> None:
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    before = build_report.read(copy)
    # Where a folder is in the way, not even root can write.
    (copy / "report.json.part").mkdir()

    class Listening(Silent):
        def warn(self, message: str) -> None:
            warned.append(message)

    warned: list[str] = []
    options = EvaluationOptions(Request(str(copy)), folder, limit=16)
    found = evaluate(options, store=session_store, progress=Listening())
    assert found.verdict.photos == 16
    assert any("cannot be written" in message for message in warned)
    assert build_report.read(copy) == before


def test_a_source_that_has_changed_is_no_reference(
    site: Path, tiny: Path, folder: Path, store: Store, tmp_path: Path
) -> None:
    copy = tmp_path / "site"
    shutil.copytree(site, copy)
    report = json.loads((copy / "report.json").read_text("utf-8"))
    report["card"]["provenance"]["sha256"] = "0" * 64
    (copy / "report.json").write_text(json.dumps(report), "utf-8")
    found = evaluate(EvaluationOptions(Request(str(copy)), folder), store=store, progress=Silent())
    assert found.reference is None
    assert found.verdict.agreement is None
    assert found.verdict.top1 is not None
    assert found.note is not None
    assert f"source {tiny.name} is not available offline; name it with --reference" in found.note


class Interfering(Silent):
    """Does something when the first photos are judged, and hears how many are."""

    def __init__(self, interfere: Callable[[], None]) -> None:
        self.judged = 0
        self._interfere = interfere

    @contextmanager
    def track(
        self,
        label: str,  # noqa: ARG002
        total: int | None = None,
        unit: Unit = "steps",  # noqa: ARG002
    ) -> Iterator[Interfering]:
        assert total == COUNT
        yield self

    def advance(self, amount: int) -> None:
        if self.judged == 0:
            self._interfere()
        self.judged += amount


@pytest.fixture(scope="module")
def options(site: Path, other: Path, folder: Path) -> EvaluationOptions:
    """Return what the executors are compared by: two networks that disagree."""
    return EvaluationOptions(Request(str(site)), folder, Request(str(other)))


@pytest.fixture(scope="module")
def in_one_process(options: EvaluationOptions, session_store: Store) -> Evaluation:
    progress = Interfering(lambda: None)
    found = evaluate(replace(options, workers=1), store=session_store, progress=progress)
    assert progress.judged == COUNT
    assert found.verdict.agreement is not None
    assert 0 < found.verdict.agreement.hits < COUNT
    assert found.verdict.score_shift
    return found


def test_two_processes_find_the_same(
    options: EvaluationOptions, in_one_process: Evaluation, session_store: Store
) -> None:
    progress = Interfering(lambda: None)
    found = evaluate(replace(options, workers=2), store=session_store, progress=progress)
    assert found == in_one_process
    assert progress.judged == COUNT


@posix
def test_a_cluster_finds_the_same_though_a_worker_is_killed(
    options: EvaluationOptions, in_one_process: Evaluation, session_store: Store
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

        def kill_one() -> None:
            # Where all is computed by now, a worker still has results that nobody has fetched.
            busy = [worker for worker, tasks in client.processing().items() if tasks]
            killed.append(pids[busy[0] if busy else min(pids)])
            os.kill(killed[0], signal.SIGKILL)

        progress = Interfering(kill_one)
        by_cluster = replace(options, engine=cluster.scheduler_address)
        found = evaluate(by_cluster, store=session_store, progress=progress)
        assert len(killed) == 1
        assert found == in_one_process
        assert progress.judged == COUNT


@posix
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_workers_end_with_the_command(
    site: Path, folder: Path, how: signal.Signals, cache_of_the_session: Path
) -> None:
    import psutil

    words = ("evaluate", site, folder, "--workers", "2")
    with command_line.started(*words, cache=cache_of_the_session) as process:
        parent = psutil.Process(process.pid)
        workers: list[psutil.Process] = []
        while process.poll() is None and len(workers) < 2:
            children = parent.children()
            with suppress(psutil.Error):  # one that has just ended has no command line
                workers = [child for child in children if "spawn_main" in " ".join(child.cmdline())]
        # Past what Python does before our code, which begins with a thread.
        until(
            lambda: all(worker.num_threads() > 1 for worker in workers), "the workers are at work"
        )
        process.send_signal(how)
        _, err = process.communicate(timeout=HANG_S)
        _, alive = psutil.wait_procs(workers, timeout=HANG_S)
    assert alive == []
    assert process.returncode == (130 if how is signal.SIGINT else -how)
    assert "Traceback" not in err


def test_broken_photos_are_named_and_the_rest_used(
    site: Path, folder: Path, store: Store, tmp_path: Path
) -> None:
    mixed = tmp_path / "mixed"
    shutil.copytree(folder, mixed)
    whole = next((mixed / "thing 1").iterdir()).read_bytes()
    for name, content in (("cut.png", whole[:200]), ("empty.jpg", b""), ("no.txt", b"a note")):
        (mixed / "thing 0" / name).write_bytes(content)
    options = EvaluationOptions(Request(str(site)), mixed)
    found = evaluate(options, store=store, progress=Silent())
    assert found.broken == 3
    assert found.broken_photos == ("thing 0/cut.png", "thing 0/empty.jpg", "thing 0/no.txt")
    assert found.verdict.photos == COUNT
    alone = evaluate(replace(options, photos=folder), store=store, progress=Silent())
    assert found.verdict == alone.verdict


def test_photos_of_which_none_is_whole_are_refused(
    site: Path, store: Store, tmp_path: Path
) -> None:
    for number in range(20):
        (tmp_path / f"{number}.png").write_bytes(b"")
    options = EvaluationOptions(Request(str(site)), tmp_path)
    with pytest.raises(BadInputError, match=f"none of the 20 files in {tmp_path}"):
        evaluate(options, store=store, progress=Silent())


def test_of_a_flat_folder_only_agreement_is_judged(
    options: EvaluationOptions, folder: Path, store: Store, tiny: Path, tmp_path: Path
) -> None:
    for path in (folder / "thing 2").iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    flat = replace(options, photos=tmp_path, limit=8)
    found = evaluate(flat, store=store, progress=Silent())
    assert found.verdict.photos == 8
    assert found.verdict.agreement is not None
    assert (found.verdict.top1, found.verdict.top5, found.verdict.drop) == (None, None, None)
    alone = replace(flat, request=Request(str(tiny)), reference=None)
    said = Declared(labels=tiny_models.names(), value_range=(0.0, 1.0))
    alone = replace(alone, declared=said)
    with pytest.raises(BadInputError, match="no class folders and there is no reference"):
        evaluate(alone, store=store, progress=Silent())


def test_a_reference_with_other_labels_is_refused(
    options: EvaluationOptions, store: Store, tmp_path: Path
) -> None:
    six = tiny_models.saved_model(tmp_path / "six", 6)
    (tmp_path / "six.toml").write_text(f"labels = {list(tiny_models.names(6))}", "utf-8")
    with pytest.raises(BadInputError, match="other labels"):
        evaluate(replace(options, reference=Request(str(six))), store=store, progress=Silent())


def test_what_a_site_says_itself_cannot_be_declared(
    options: EvaluationOptions, store: Store
) -> None:
    declared = Declared(value_range=(-1.0, 1.0))
    with pytest.raises(BadInputError, match="is a built site, which states its"):
        evaluate(replace(options, declared=declared), store=store, progress=Silent())


@pytest.mark.parametrize("offset", [0, 1])
def test_probabilities_and_a_background_class_are_judged_as_logits_are(
    folder: Path, store: Store, tmp_path: Path, offset: int
) -> None:
    plain = tiny_models.saved_model(tmp_path / "plain", 5 + offset)
    ended = tiny_models.saved_model(tmp_path / "ended", 5 + offset, ending="softmax")
    declared = Declared(labels=tiny_models.names(), label_offset=offset, value_range=(0.0, 1.0))
    options = EvaluationOptions(
        Request(str(plain)), folder, Request(str(ended)), declared=declared, limit=20
    )
    verdict = evaluate(options, store=store, progress=Silent()).verdict
    assert verdict.agreement is not None
    assert verdict.agreement.value == 1.0
    assert verdict.score_shift == pytest.approx(0, abs=1e-6)


def test_the_command_prints_a_table_or_the_record(
    site: Path,
    folder: Path,
    other: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
) -> None:
    def toolchain(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["toolchain", "evaluate", *map(str, words)])
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capfd.readouterr()
        return int(left.value.code or 0), out, err

    (tmp_path / "photos").symlink_to(folder, target_is_directory=True)
    words = (site, "photos", "--reference", other, "--limit", "40")
    code, table, err = toolchain(*words)
    assert code == 0
    assert "Judging photos: 40 photos" in err
    for row in ("top-1 ", "top-5 ", "drop of top-1", "same first label", "score shift"):
        assert row in table
    assert "95 % interval" in table
    _, record, _ = toolchain(*words, "--json")
    found = Evaluation.model_validate_json(record)
    assert found.folder == "photos"
    assert found.verdict.top1 is not None
    assert f"{found.verdict.top1.hits} of 40" in table
    code, out, err = toolchain(site, tmp_path)
    assert (code, out) == (2, "")
    assert err == (
        f"toolchain: {tmp_path} has folders that match no label of the model: photos; rename "
        "them to a label, its number, or for ImageNet its WordNet id\n"
    )


def test_a_published_model_is_as_good_as_published(shared: Path, session_store: Store) -> None:
    options = EvaluationOptions(
        Request(str(shared / "models" / "mobilenet_v1_025_224.tar.gz")),
        shared / "data" / "imagenet-500",
        declared=Declared(value_range=(0.0, 1.0)),
        limit=100,
    )
    verdict = evaluate(options, store=session_store, progress=Silent()).verdict
    assert verdict.top1 is not None
    assert verdict.top1.of == 100
    assert verdict.top1.low < 0.591 < verdict.top1.high
