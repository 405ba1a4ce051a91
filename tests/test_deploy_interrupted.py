"""What an interrupted deploy has left goes when another release has taken its place."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.test_deploy import BEGIN, DAY, Failing, expected, interrupted, make_site, shown
from tests.test_deploy_hosts import (  # noqa: F401 - fixtures, and one stands on another
    bucket,
    remote,
    s3,
    ssh_server,
)
from toolchain.deployment import stage
from toolchain.deployment.bucket import BucketTarget
from toolchain.deployment.folder import FolderTarget
from toolchain.deployment.release import HISTORY, PRIVATE
from toolchain.deployment.remote import RemoteTarget
from toolchain.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from toolchain.deployment.target import Item, Target

PUTS = 9  # files and histories that a deploy brings to a host that has a release already
GRACE = 5 * DAY


def deploy(word: str, target: Target, folder: Path, day: int, **options: Any) -> stage.Outcome:
    site = make_site(folder / word, word)
    when = BEGIN + day * DAY
    return stage.deploy(site, target, progress=Silent(), grace=GRACE, now=when, **options)


def weights(folder: Path, word: str) -> set[str]:
    return {path for path in expected(folder / word) if path.startswith("model/")}


def everything(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}


def history(root: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((root / HISTORY).read_text("utf-8"))
    return content


@pytest.mark.parametrize("after", range(PUTS))
def test_files_of_a_release_that_was_never_finished_go_after_the_grace(
    tmp_path: Path, after: int
) -> None:
    root = tmp_path / "web"
    deploy("one", FolderTarget(root), tmp_path, 0)
    before = everything(root)
    with interrupted():
        deploy("two", Failing(root, after), tmp_path, 1)
    left = everything(root) - before

    # While the grace lasts they stay: a visitor may have seen the half of it.
    deploy("three", FolderTarget(root), tmp_path, 10)
    assert left <= everything(root)
    deploy("four", FolderTarget(root), tmp_path, 14)
    assert left <= everything(root)

    deploy("five", FolderTarget(root), tmp_path, 16)
    gone = weights(tmp_path, "two") | {path for path in left if path.startswith(PRIVATE)} - {
        HISTORY
    }
    assert not gone & everything(root)
    assert weights(tmp_path, "four") | weights(tmp_path, "five") <= everything(root)
    assert history(root)["abandoned"] == []
    stage.rollback(FolderTarget(root), progress=Silent())
    assert shown(root)["index.html"] == "<!doctype html>four"


def test_files_of_several_deploys_that_were_interrupted_one_after_another_go(
    tmp_path: Path,
) -> None:
    root = tmp_path / "web"
    deploy("one", FolderTarget(root), tmp_path, 0)
    for day, word in enumerate(("two", "three", "four"), 1):
        with interrupted():
            deploy(word, Failing(root, 4), tmp_path, day)
    deploy("five", FolderTarget(root), tmp_path, 5)
    deploy("six", FolderTarget(root), tmp_path, 20)
    left = {path for path in shown(root) if path.startswith("model/")}
    assert left == weights(tmp_path, "five") | weights(tmp_path, "six")
    versions = {path.name for path in (root / PRIVATE / "releases").iterdir()}
    assert versions == {each["version"] for each in history(root)["releases"]}


def test_what_the_present_release_shares_with_an_unfinished_one_stays(tmp_path: Path) -> None:
    root = tmp_path / "web"
    with interrupted():
        deploy("two", Failing(root, 3), tmp_path, 1)
    deploy("three", FolderTarget(root), tmp_path, 2)
    deploy("four", FolderTarget(root), tmp_path, 30)
    assert expected(tmp_path / "four").items() <= shown(root).items()
    assert "assets/shared.0123456789abcdef.js" in shown(root)
    assert not weights(tmp_path, "two") & set(shown(root))


def test_an_interrupted_deploy_that_is_finished_later_is_no_longer_abandoned(
    tmp_path: Path,
) -> None:
    root = tmp_path / "web"
    with interrupted():
        deploy("two", Failing(root, 4), tmp_path, 1)
    deploy("three", FolderTarget(root), tmp_path, 2)
    assert len(history(root)["abandoned"]) == 1
    deploy("two", FolderTarget(root), tmp_path, 3)
    assert history(root)["abandoned"] == []
    deploy("four", FolderTarget(root), tmp_path, 40)
    assert weights(tmp_path, "two") <= set(shown(root))


def test_a_release_that_was_shown_before_keeps_its_way_back(tmp_path: Path) -> None:
    root = tmp_path / "web"
    deploy("one", FolderTarget(root), tmp_path, 0)
    deploy("two", FolderTarget(root), tmp_path, 1)
    with interrupted():
        deploy("one", Failing(root, 3), tmp_path, 2)
    deploy("two", FolderTarget(root), tmp_path, 30)
    stage.rollback(FolderTarget(root), progress=Silent(), now=BEGIN + 30 * DAY)
    assert expected(tmp_path / "one").items() <= shown(root).items()


def test_a_rollback_in_place_of_an_interrupted_deploy_lets_its_files_go_too(
    tmp_path: Path,
) -> None:
    root = tmp_path / "web"
    for day, word in enumerate(("one", "two")):
        deploy(word, FolderTarget(root), tmp_path, day)
    with interrupted():
        deploy("three", Failing(root, 5), tmp_path, 3)
    stage.rollback(FolderTarget(root), progress=Silent(), now=BEGIN + 4 * DAY)
    deploy("four", FolderTarget(root), tmp_path, 30)
    assert not weights(tmp_path, "three") & set(shown(root))
    assert weights(tmp_path, "one") <= set(shown(root))


def test_deploying_the_same_again_takes_outdated_files_away(tmp_path: Path) -> None:
    root = tmp_path / "web"
    with interrupted():
        deploy("two", Failing(root, 4), tmp_path, 1)
    deploy("three", FolderTarget(root), tmp_path, 2)
    outcome = deploy("three", FolderTarget(root), tmp_path, 30)
    assert outcome.sent == {}
    assert weights(tmp_path, "two") <= set(outcome.removed)
    assert shown(root) == expected(tmp_path / "three")


def test_a_file_of_others_where_an_interrupted_deploy_never_came_stays(tmp_path: Path) -> None:
    root = tmp_path / "web"
    root.mkdir()
    (root / "404.html").write_text("mine", "utf-8")
    (make_site(tmp_path / "two", "two") / "404.html").write_text("two's", "utf-8")
    with interrupted():
        stage.deploy(tmp_path / "two", Failing(root, 3), progress=Silent(), now=BEGIN)
    deploy("three", FolderTarget(root), tmp_path, 2)
    outcome = deploy("four", FolderTarget(root), tmp_path, 30)
    assert weights(tmp_path, "two") <= set(outcome.removed)
    assert shown(root)["404.html"] == "mine"


def test_an_entry_that_an_interrupted_deploy_has_brought_goes(tmp_path: Path) -> None:
    root = tmp_path / "web"
    (make_site(tmp_path / "two", "two") / "extra.html").write_text("two's", "utf-8")
    with interrupted():
        stage.deploy(tmp_path / "two", Failing(root, 13), progress=Silent(), now=BEGIN)
    assert "extra.html" in shown(root)
    deploy("three", FolderTarget(root), tmp_path, 2)
    outcome = deploy("four", FolderTarget(root), tmp_path, 30)
    assert "extra.html" in outcome.removed
    assert "extra.html" not in shown(root)


def test_a_history_of_the_version_before_is_read(tmp_path: Path) -> None:
    root = tmp_path / "web"
    deploy("one", FolderTarget(root), tmp_path, 0)
    former = history(root) | {"schema_version": 1}
    del former["abandoned"]
    (root / HISTORY).write_text(json.dumps(former), "utf-8")
    deploy("two", FolderTarget(root), tmp_path, 1)
    stage.rollback(FolderTarget(root), progress=Silent())
    assert shown(root)["index.html"] == "<!doctype html>one"


KILLED = """
import os, signal, sys
from pathlib import Path
from toolchain.deployment.folder import FolderTarget
from toolchain.deployment.stage import deploy
from toolchain.progress import Silent
class Killed(FolderTarget):
    def put(self, items, sent):
        for item in items:
            super().put([item], sent)
            if item.path.startswith("model/"):
                os.kill(os.getpid(), signal.SIGKILL)
deploy(Path(sys.argv[1]), Killed(Path(sys.argv[2])), progress=Silent())
"""


def test_a_process_that_was_killed_leaves_nothing_for_ever(tmp_path: Path) -> None:
    root, site = tmp_path / "web", make_site(tmp_path / "two", "two")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", KILLED, str(site), str(root)]
    assert subprocess.run(command, env=environment, check=False).returncode == -signal.SIGKILL
    assert weights(tmp_path, "two") & everything(root)
    for word in ("three", "four"):
        stage.deploy(
            make_site(tmp_path / word, word),
            FolderTarget(root),
            progress=Silent(),
            grace=timedelta(0),
        )
    assert not weights(tmp_path, "two") & everything(root)


# -- other hosts -------------------------------------------------------------------------------


def dying(target: Target, after: int) -> Target:
    """Let a target be lost once it was told so often to bring files."""
    put, calls = target.put, iter(range(after))

    def dies(items: Sequence[Item], sent: Callable[[int], None]) -> None:
        put(items, sent)
        if next(calls, None) is None:
            raise KeyboardInterrupt

    target.put = dies  # type: ignore[method-assign]
    return target


@pytest.mark.parametrize("after", [1, 2, 3])
def test_a_bucket_is_rid_of_what_an_interrupted_deploy_left(
    s3: str,  # noqa: F811
    bucket: Any,  # noqa: F811
    tmp_path: Path,
    after: int,
) -> None:
    def target() -> BucketTarget:
        return BucketTarget("sites", "demo", s3, "none")

    deploy("one", target(), tmp_path, 0)
    with pytest.raises(KeyboardInterrupt):
        deploy("two", dying(target(), after), tmp_path, 1)
    keys = {entry.key for entry in bucket.objects.all()}
    plain = {f"demo/{path}" for path in weights(tmp_path, "two") if not path.endswith(".gz")}
    assert plain <= keys
    for day, word in ((2, "three"), (20, "four")):
        deploy(word, target(), tmp_path, day)
    keys = {entry.key for entry in bucket.objects.all()}
    assert not plain & keys
    versions = {key.split("/")[3] for key in keys if "/releases/" in key}
    history = json.loads(bucket.Object(f"demo/{HISTORY}").get()["Body"].read())
    assert versions == {each["version"] for each in history["releases"]}


def test_a_server_is_rid_of_what_an_interrupted_deploy_left(
    remote: str,  # noqa: F811
    tmp_path: Path,
) -> None:
    root = tmp_path / "srv" / "web"
    deploy("one", RemoteTarget(remote), tmp_path, 0)
    with pytest.raises(KeyboardInterrupt):
        deploy("two", dying(RemoteTarget(remote), 1), tmp_path, 1)
    assert weights(tmp_path, "two") <= everything(root)
    # What rsync has when it is killed: whole files that it has not put in place, and half a one.
    delayed = root / "model" / ".~tmp~" / "weights.0000000000000000.bin"
    delayed.parent.mkdir()
    delayed.write_text("two", "utf-8")
    half = root / "model" / ".weights.0000000000000000.bin.aB3dE6"
    half.write_text("t", "utf-8")
    of_others = root / ".my-notebook.js.backup"
    of_others.write_text("mine", "utf-8")
    for day, word in ((2, "three"), (20, "four")):
        deploy(word, RemoteTarget(remote), tmp_path, day)
    assert not weights(tmp_path, "two") & everything(root)
    assert not delayed.parent.exists()
    assert not half.exists()
    assert of_others.exists()
    assert expected(tmp_path / "four").items() <= shown(root).items()
