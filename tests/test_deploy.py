"""Deploying to a folder: what goes when, what stays, and the way back."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from toolchain import digest
from toolchain.deployment import hosts, stage
from toolchain.deployment.folder import FolderTarget
from toolchain.deployment.release import HISTORY, of_site
from toolchain.errors import BadInputError, ToolchainError
from toolchain.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from toolchain.deployment.target import Item

DAY = timedelta(days=1)
BEGIN = datetime(2026, 1, 1, tzinfo=timezone.utc)


def make_site(folder: Path, word: str) -> Path:
    """Write files named as a site's are; `word` makes its content another."""
    shutil.rmtree(folder, ignore_errors=True)
    own = digest.of_bytes(word.encode())[:16]
    files = {
        "index.html": f"<!doctype html>{word}",
        "index.html.br": f"br {word}",
        "sw.js": f"'{word}';",
        "report.json": "{}",
        "report.html": "<!doctype html>",
        "report.networks.json": "{}",
        "_headers": "/*\n  X-A: b\n",
        "assets/shared.0123456789abcdef.js": "shared",
        f"model/weights.{own}.bin": word,
        f"model/weights.{own}.bin.gz": word,
    }
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    return folder


def shown(root: Path) -> dict[str, str]:
    return {
        file.relative_to(root).as_posix(): file.read_text("utf-8")
        for file in sorted(root.rglob("*"))
        if file.is_file() and not file.relative_to(root).as_posix().startswith(".")
    }


def expected(site: Path) -> dict[str, str]:
    names = {"report.json", "report.html", "_headers"}
    return {path: text for path, text in shown(site).items() if path not in names}


def deploy(site: Path, root: Path, **options: Any) -> stage.Outcome:
    return stage.deploy(site, FolderTarget(root), progress=Silent(), **options)


def rollback(root: Path, **options: Any) -> stage.Outcome:
    return stage.rollback(FolderTarget(root), progress=Silent(), **options)


def test_a_site_comes_whole_but_for_what_names_photos(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", "one")
    outcome = deploy(site, tmp_path / "web")
    assert shown(tmp_path / "web") == expected(site)
    assert sum(outcome.sent.values()) == sum(len(text) for text in expected(site).values())
    assert outcome.kept == {}


def test_the_report_goes_where_that_is_asked_for(tmp_path: Path) -> None:
    deploy(make_site(tmp_path / "site", "one"), tmp_path / "web", with_report=True)
    assert {"report.json", "report.html"} <= set(shown(tmp_path / "web"))


def test_what_is_there_is_not_sent_again(tmp_path: Path) -> None:
    deploy(make_site(tmp_path / "site", "one"), tmp_path / "web")
    outcome = deploy(make_site(tmp_path / "site", "two"), tmp_path / "web")
    assert "assets/shared.0123456789abcdef.js" in outcome.kept
    assert "index.html" in outcome.sent


def test_a_deploy_of_the_same_changes_nothing(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", "one")
    deploy(site, tmp_path / "web")
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "web").rglob("*")}
    outcome = deploy(site, tmp_path / "web")
    assert outcome.sent == {}
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "web").rglob("*")} == before


def test_a_dry_run_says_what_would_change_and_changes_nothing(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", "one")
    (tmp_path / "web").mkdir()
    outcome = deploy(site, tmp_path / "web", dry_run=True)
    assert set(outcome.sent) == set(expected(site))
    assert list((tmp_path / "web").iterdir()) == []


def test_files_of_others_stay(tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web" / "robots.txt").write_text("mine", "utf-8")
    for day, word in enumerate(("one", "two", "three", "four")):
        site = make_site(tmp_path / "site", word)
        deploy(site, tmp_path / "web", now=BEGIN + day * 30 * DAY)
    assert shown(tmp_path / "web")["robots.txt"] == "mine"


def test_the_former_releases_files_stay_and_older_ones_go_after_the_grace(tmp_path: Path) -> None:
    root = tmp_path / "web"
    files = {}
    for day, word in enumerate(("one", "two", "three")):
        site = make_site(tmp_path / "site", word)
        files[word] = {path for path in expected(site) if path.startswith("model/")}
        deploy(site, root, now=BEGIN + day * DAY, grace=5 * DAY)
    assert files["one"] | files["two"] | files["three"] <= set(shown(root))

    later = deploy(make_site(tmp_path / "site", "four"), root, now=BEGIN + 30 * DAY, grace=5 * DAY)
    assert set(later.removed) == files["one"] | files["two"]
    assert files["three"] <= set(shown(root))
    assert not (files["one"] | files["two"]) & set(shown(root))


def test_no_grace_spares_the_former_release_all_the_same(tmp_path: Path) -> None:
    root = tmp_path / "web"
    for word in ("one", "two"):
        site = make_site(tmp_path / "site", word)
        deploy(site, root, grace=timedelta(0))
    rollback(root)
    assert shown(root)["index.html"] == "<!doctype html>one"


def test_a_rollback_brings_the_former_site_back_and_again_the_other(tmp_path: Path) -> None:
    root = tmp_path / "web"
    one = expected(make_site(tmp_path / "a", "one"))
    two = expected(make_site(tmp_path / "b", "two"))
    deploy(tmp_path / "a", root)
    deploy(tmp_path / "b", root)
    rollback(root)
    assert {path: shown(root)[path] for path in one} == one
    rollback(root)
    assert {path: shown(root)[path] for path in two} == two


def test_a_rollback_without_a_former_release_says_so(tmp_path: Path) -> None:
    deploy(make_site(tmp_path / "site", "one"), tmp_path / "web")
    with pytest.raises(BadInputError, match="has no former release"):
        rollback(tmp_path / "web")


def test_a_rollback_to_what_is_gone_changes_nothing(tmp_path: Path) -> None:
    root = tmp_path / "web"
    deploy(make_site(tmp_path / "site", "one"), root)
    gone = next(path for path in shown(root) if path.endswith(".bin"))
    deploy(make_site(tmp_path / "site", "two"), root)
    (root / gone).unlink()
    before = shown(root)
    with pytest.raises(ToolchainError, match=r"no longer has model/weights"):
        rollback(root)
    assert shown(root) == before


def test_a_clock_that_goes_backwards_loses_nothing(tmp_path: Path) -> None:
    root = tmp_path / "web"
    deploy(make_site(tmp_path / "site", "one"), root, now=BEGIN)
    deploy(make_site(tmp_path / "site", "two"), root, now=BEGIN - 400 * DAY)
    deploy(make_site(tmp_path / "site", "three"), root, now=BEGIN - 800 * DAY)
    assert len([path for path in shown(root) if path.endswith(".bin")]) == 3


class InterruptedDeployError(Exception):
    """The cable was pulled."""


class Failing(FolderTarget):
    """A folder that is lost after so many files."""

    def __init__(self, root: Path, after: int) -> None:
        super().__init__(root)
        self.left = after

    def put(self, items: Sequence[Item], sent: Callable[[int], None]) -> None:
        for item in items:
            if self.left == 0:
                raise InterruptedDeployError
            self.left -= 1
            super().put([item], sent)


@contextmanager
def interrupted() -> Iterator[None]:
    with pytest.raises(InterruptedDeployError):
        yield


@pytest.mark.parametrize("after", range(9))
def test_an_interrupted_deploy_leaves_a_whole_site_and_the_next_one_finishes(
    tmp_path: Path, after: int
) -> None:
    root = tmp_path / "web"
    one = expected(make_site(tmp_path / "a", "one"))
    two = expected(make_site(tmp_path / "b", "two"))
    deploy(tmp_path / "a", root)
    with interrupted():
        stage.deploy(tmp_path / "b", Failing(root, after), progress=Silent())
    page = shown(root)["index.html"]
    whole = one if page == one["index.html"] else two
    lasting = {path: text for path, text in whole.items() if path.startswith(("model", "assets"))}
    assert lasting.items() <= shown(root).items()
    deploy(tmp_path / "b", root)
    assert two.items() <= shown(root).items()
    rollback(root)
    assert one.items() <= shown(root).items()


def test_what_an_interrupted_deploy_did_not_remove_the_next_one_does(tmp_path: Path) -> None:
    class Interrupted(FolderTarget):
        def remove(self, paths: Sequence[str]) -> None:
            super().remove(paths[:1])
            raise InterruptedDeployError

    root = tmp_path / "web"
    for day, word in enumerate(("one", "two")):
        deploy(make_site(tmp_path / word, word), root, now=BEGIN + day * DAY)
    outdated = {path for path in shown(root) if path.endswith(".bin")}
    three, four = make_site(tmp_path / "three", "three"), make_site(tmp_path / "four", "four")
    with interrupted():
        stage.deploy(three, Interrupted(root), progress=Silent(), now=BEGIN + 90 * DAY)
    deploy(four, root, now=BEGIN + 180 * DAY)
    assert not outdated & set(shown(root))
    former = {path for path in expected(three) if path.endswith(".bin")}
    assert former <= set(shown(root))


def test_the_page_is_the_last_file_and_hashed_names_are_first(tmp_path: Path) -> None:
    order: list[str] = []

    class Noting(FolderTarget):
        def put(self, items: Sequence[Item], sent: Callable[[int], None]) -> None:
            order.extend(item.path for item in items if not item.path.startswith("."))
            super().put(items, sent)

    site = make_site(tmp_path / "site", "one")
    stage.deploy(site, Noting(tmp_path / "web"), progress=Silent())
    assert set(order[-2:]) == {"index.html", "index.html.br"}
    assert order.index("sw.js") > max(
        order.index(path) for path in order if path.startswith(("assets/", "model/"))
    )


def test_a_history_of_another_version_is_an_error(tmp_path: Path) -> None:
    root = tmp_path / "web"
    (root / HISTORY).parent.mkdir(parents=True)
    (root / HISTORY).write_text('{"schema_version": 99}', "utf-8")
    with pytest.raises(BadInputError, match="not of this version"):
        deploy(make_site(tmp_path / "site", "one"), root)


def test_a_link_in_a_site_is_refused(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", "one")
    (site / "assets" / "passwd").symlink_to("/etc/passwd")
    with pytest.raises(BadInputError, match=r"assets/passwd in .* is a link"):
        deploy(site, tmp_path / "web")
    assert not (tmp_path / "web").exists()


def test_a_folder_that_is_no_site_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="there is no site"):
        deploy(tmp_path, tmp_path / "web")


@pytest.mark.parametrize(
    ("host", "sentence"),
    [
        (hosts.Host("H", file_bytes=2), r"H takes at most 2 B for a file; .*--shard-size"),
        (hosts.Host("H", site_bytes=5), r"H takes at most 5 B; build fewer variants"),
        (hosts.Host("H", files=2), r"H takes at most 2; build with a larger --shard-size"),
        (
            hosts.Host("H", reads_headers_file=True, header_rules=0),
            r"_headers has 1 rules and H reads at most 0",
        ),
        (
            hosts.Host("H", reads_headers_file=True, header_line=3),
            r"_headers has a line of 8 characters and H reads at most 3",
        ),
    ],
)
def test_what_exceeds_a_limit_of_a_host_is_not_begun(
    tmp_path: Path, host: hosts.Host, sentence: str
) -> None:
    site = make_site(tmp_path / "site", "one")
    with pytest.raises(BadInputError, match=sentence):
        stage.deploy(site, FolderTarget(tmp_path / "web", host), progress=Silent())
    assert not (tmp_path / "web").exists()


def test_hosts_that_do_not_negotiate_get_no_encodings(tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", "one")
    paths = set(of_site(site, hosts.CLOUDFLARE_PAGES).files)
    assert not {path for path in paths if path.endswith((".br", ".gz"))}
    assert "_headers" in paths


def test_an_unwritable_folder_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "web").write_text("a file", "utf-8")
    with pytest.raises(ToolchainError, match="cannot be used"):
        deploy(make_site(tmp_path / "site", "one"), tmp_path / "web")
