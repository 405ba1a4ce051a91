"""Builds that fail, are ended or meet another: the site that stands is left whole."""

from __future__ import annotations

import gzip
import shutil
import signal
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests import command_line, tiny_models
from tests.built_site import Site, assert_whole, beside, built_site, contents, replace_labels
from tests.standing_site import good_site
from tests.watchdog import HANG_S, until
from toolchain.errors import BadInputError, MissingToolError
from toolchain.pipeline.build import build
from toolchain.progress import Silent
from toolchain.site import web_bundle
from toolchain.site.configuration import PageOptions

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

    from toolchain.cache.store import Store

pytestmark = pytest.mark.xdist_group("build-interrupted")
posix = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")


@pytest.fixture(scope="module")
def site(tiny: Path, session_store: Store, tmp_path_factory: pytest.TempPathFactory) -> Site:
    return built_site(tiny, tmp_path_factory.mktemp("built"), session_store)


def test_a_build_that_fails_leaves_the_site(
    site: Site, session_store: Store, tmp_path: Path
) -> None:
    out = site.copy(tmp_path / "site")
    files = contents(out)
    declared = replace_labels(site.options.declared, tiny_models.names(3))
    options = replace(site.options, out=out, declared=declared)
    with pytest.raises(BadInputError, match="5 classes but there are 3 labels"):
        build(options, store=session_store, progress=Silent())
    assert contents(out) == files
    assert beside(out) == []


@pytest.mark.parametrize(
    ("template", "fault"),
    [
        ("<html>\n{% if title %}\n", r"index\.html\.j2, line 2: .*; fix the template"),
        ("{{ title", r"index\.html\.j2, line 1: .*; fix the template"),
        ("{{ titel }}", "template cannot be rendered: 'titel' is undefined"),
        ("{% extends 'base.html.j2' %}", "template cannot be rendered: .*base"),
        ("{{ title | shout }}", "No filter named 'shout'"),
        ("{{ 1 / 0 }}", "template cannot be rendered: "),
        (None, "template cannot be rendered: .*index.html.j2"),
    ],
)
def test_a_fault_in_the_template_is_a_sentence_and_leaves_the_site(
    site: Site,
    session_store: Store,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    template: str | None,
    fault: str,
) -> None:
    out = site.copy(tmp_path / "site")
    files = contents(out)
    templates = tmp_path / "package" / "templates"
    for folder in ("samples", "strings"):
        shutil.copytree(web_bundle.templates_dir() / folder, templates / folder)
    if template is not None:
        (templates / "index.html.j2").write_text(template, "utf-8")
    monkeypatch.setattr(web_bundle, "_PACKAGE", templates.parent)
    with pytest.raises(BadInputError, match=fault) as raised:
        build(replace(site.options, out=out), store=session_store, progress=Silent())
    assert "\n" not in str(raised.value)
    assert raised.value.exit_code == 2
    assert contents(out) == files
    assert beside(out) == []


def test_a_runtime_that_is_not_built_is_a_sentence(
    site: Site, session_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "templates").symlink_to(web_bundle.templates_dir())
    monkeypatch.setattr(web_bundle, "_CHECKOUT", tmp_path)
    options = replace(site.options, out=tmp_path / "site")
    with pytest.raises(MissingToolError, match="run `make web`"):
        build(options, store=session_store, progress=Silent())
    assert not options.out.exists()
    assert beside(options.out) == []


def wait_for(process: subprocess.Popen[str], line: str) -> None:
    """Read what the build says until it says this."""
    assert process.stderr is not None
    heard = []
    for said in process.stderr:
        heard.append(said)
        if said.startswith(line):
            return
    raise AssertionError(f"it ended without {line!r}: {''.join(heard)}")


def end(process: subprocess.Popen[str], by: signal.Signals) -> None:
    process.send_signal(by)
    _, err = process.communicate(timeout=HANG_S)
    assert process.returncode == (130 if by is signal.SIGINT else -by)
    assert "Traceback" not in err


@posix
@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGKILL], ids=["SIGINT", "SIGKILL"])
@pytest.mark.parametrize("moment", ["Reading the graph", "Converting to TF.js"])
def test_a_build_ended_while_it_converts_leaves_the_site_and_nothing_in_the_way(
    site: Site, store: Store, session_folder: Path, tmp_path: Path, by: signal.Signals, moment: str
) -> None:
    # The runtime's files need not be compressed anew each time.
    shutil.copytree(good_site(session_folder).cache / "v1" / "encoded", store.base / "encoded")
    out = site.copy(tmp_path / "site")
    before, files = out.stat().st_ino, contents(out)
    # The cache has no conversion to reuse.
    with command_line.started(*site.words, "--out", out, cache=store.root) as process:
        wait_for(process, moment)
        # Into the import of TensorFlow, or as soon as the converter is called.
        until(lambda: command_line.has_loaded(process, "tensorflow/python"), "it loads TensorFlow")
        end(process, by)
    assert (out.stat().st_ino, contents(out)) == (before, files)
    assert beside(out) == []
    options = replace(site.options, out=out, page=PageOptions(title="Next"))
    report = build(options, store=store, progress=Silent())
    assert not any(stage.reused for stage in report.stages)
    assert assert_whole(out) == report
    assert b"<title>Next</title>" in (out / "index.html").read_bytes()


def has_begun(out: Path, staging: str) -> bool:
    """Tell whether the first compressed file is there; the large ones take seconds more."""
    return any(out.with_name(staging).rglob("*.br"))


@posix
def test_a_build_ended_while_it_compresses_leaves_the_site_and_nothing_in_the_way(
    site: Site, store: Store, tmp_path: Path
) -> None:
    out = site.copy(tmp_path / "site")
    before, files = out.stat().st_ino, contents(out)
    # The cache has the conversion only.
    build(replace(site.options, out=tmp_path / "first"), store=store, progress=Silent())
    shutil.rmtree(store.base / "encoded")
    words = (*site.words, "--out", out, "--title", "Next")
    for by in (signal.SIGKILL, signal.SIGINT):
        abandoned = set(beside(out))
        with command_line.started(*words, cache=store.root) as process:
            until(
                lambda process=process, abandoned=abandoned: (  # type: ignore[misc]
                    process.poll() is not None
                    or any(has_begun(out, name) for name in {*beside(out)} - abandoned)
                ),
                "it compresses",
            )
            assert process.poll() is None, "it ended before it compressed"
            end(process, by)
        assert (out.stat().st_ino, contents(out)) == (before, files)
        assert len(beside(out)) == (2 if by is signal.SIGKILL else 0)  # a folder and its lock
    done = command_line.run(*words, cache=store.root)
    assert done.returncode == 0, done.stderr
    assert_whole(out)
    assert b"<title>Next</title>" in (out / "index.html").read_bytes()
    assert beside(out) == []


@posix
def test_two_builds_at_once_both_succeed_and_leave_one_whole_site(
    site: Site, tmp_path: Path
) -> None:
    out = tmp_path / "site"
    titles = ("First", "Second")
    for _ in range(2):  # once into nothing, once over a site
        with (
            command_line.started(*site.words, "--out", out, "--title", titles[0]) as one,
            command_line.started(*site.words, "--out", out, "--title", titles[1]) as other,
        ):
            errors = [process.communicate(timeout=HANG_S)[1] for process in (one, other)]
            assert (one.returncode, other.returncode) == (0, 0), errors
        assert_whole(out)
        page = (out / "index.html").read_text("utf-8")
        assert sum(f"<title>{title}</title>" in page for title in titles) == 1
        assert gzip.decompress((out / "index.html.gz").read_bytes()).decode() == page
        assert beside(out) == []
