"""Only what was built is deployed: altered sites are refused, and no way there alters a file."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING, Any

import brotli
import pytest

from tests import host_services
from tests.test_deploy import expected, make_site, shown
from tests.test_deploy_hosts import remote, ssh_server  # noqa: F401 - fixtures
from toolchain.deployment import stage
from toolchain.deployment.folder import FolderTarget
from toolchain.deployment.remote import RemoteTarget
from toolchain.deployment.vendor_cli import CloudflarePagesTarget, NetlifyTarget
from toolchain.errors import BadInputError, ToolchainError
from toolchain.progress import Silent
from toolchain.site import build_info

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PAGE = "<!doctype html>one"
SHARED = "assets/shared.0123456789abcdef.js"


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a site with compressed neighbours and the digests of its files."""
    made = make_site(tmp_path / "site", "one")
    (made / "index.html.br").write_bytes(brotli.compress(PAGE.encode()))
    for file in made.rglob("*.gz"):
        file.write_bytes(gzip.compress(file.with_suffix("").read_bytes()))
    inputs = build_info.Inputs(shard_bytes=1, page="", samples=None, template=None)
    build_info.write(made, (), inputs)
    return made


def files(root: Path) -> dict[str, bytes]:
    found = (file for file in root.rglob("*") if file.is_file())
    named = {file.relative_to(root).as_posix(): file.read_bytes() for file in found}
    return {path: content for path, content in named.items() if not path.startswith(".")}


def deploy(site: Path, root: Path) -> stage.Outcome:
    return stage.deploy(site, FolderTarget(root), progress=Silent())


def test_a_site_that_is_as_it_was_built_goes_with_what_was_put_beside_it(
    site: Path, tmp_path: Path
) -> None:
    (site / "robots.txt").write_text("mine", "utf-8")
    deploy(site, tmp_path / "web")
    unpublished = {"report.json", "report.html", "_headers"}
    wanted = {path: content for path, content in files(site).items() if path not in unpublished}
    assert files(tmp_path / "web") == wanted


def _append(file: Path) -> None:
    file.write_bytes(file.read_bytes() + b"\n")


def _flip(file: Path) -> None:
    content = file.read_bytes()
    file.write_bytes(bytes([content[0] ^ 1]) + content[1:])


def _to_crlf(file: Path) -> None:
    file.write_bytes(b"shared\r\n")


def _of_another(file: Path) -> None:
    file.write_bytes({".br": brotli.compress, ".gz": gzip.compress}[file.suffix](b"another"))


def _empty(file: Path) -> None:
    file.write_bytes(b"")


@pytest.mark.parametrize(
    ("pattern", "alter"),
    [
        ("index.html", _append),
        ("model/*.bin", _flip),
        ("model/*.bin", _empty),
        (SHARED, _to_crlf),
        ("index.html.br", _of_another),
        ("index.html.br", _empty),
        ("model/*.gz", _of_another),
        ("model/*.gz", _flip),
    ],
)
@pytest.mark.parametrize("dry_run", [False, True])
def test_a_site_that_was_altered_is_refused(
    site: Path, tmp_path: Path, pattern: str, alter: Callable[[Path], None], dry_run: bool
) -> None:
    (file,) = site.glob(pattern)
    alter(file)
    with pytest.raises(BadInputError, match=rf"{file.name} in .*site is not what was built"):
        stage.deploy(site, FolderTarget(tmp_path / "web"), progress=Silent(), dry_run=dry_run)
    assert not (tmp_path / "web").exists()


def test_a_site_that_lacks_a_file_is_refused(site: Path, tmp_path: Path) -> None:
    (site / SHARED).unlink()
    with pytest.raises(BadInputError, match=rf"{SHARED} is missing from"):
        deploy(site, tmp_path / "web")


@pytest.mark.parametrize("locale", ["C", "C.UTF-8"])
def test_rsync_brings_every_name_whatever_its_environment_says(
    remote: str,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    locale: str,
) -> None:
    for name, value in {
        "LC_ALL": locale,
        "RSYNC_ICONV": "UTF-8,ISO-8859-1",
        "RSYNC_CHECKSUM_LIST": "none",
        "RSYNC_PARTIAL_DIR": "elsewhere",
    }.items():
        monkeypatch.setenv(name, value)
    root = tmp_path / "srv" / "web"
    for word in ("one", "two"):
        site = make_site(tmp_path / word, word)
        for path in ("Bär 1.txt", "assets/ø.0123456789abcdef.js", "#a.txt", ";b.txt"):
            (site / path).write_text(f"{path} of {word}"[-9:], "utf-8")
        outcome = stage.deploy(site, RemoteTarget(remote), progress=Silent())
        assert expected(site).items() <= shown(root).items()
        assert "Bär 1.txt" in outcome.sent
    stage.rollback(RemoteTarget(remote), progress=Silent())
    assert shown(root)["Bär 1.txt"] == (tmp_path / "one" / "Bär 1.txt").read_text("utf-8")
    RemoteTarget(remote).remove(["#a.txt", ";b.txt", "Bär 1.txt"])
    assert not {"#a.txt", ";b.txt", "Bär 1.txt"} & set(shown(root))


@pytest.mark.parametrize("kind", [CloudflarePagesTarget, NetlifyTarget])
def test_a_copy_that_is_not_what_was_built_is_not_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: type[Any]
) -> None:
    host = host_services.stand_in(tmp_path / "host")
    monkeypatch.setenv("PATH", str(host.commands), prepend=":")
    monkeypatch.setenv("TOOLCHAIN_STATE", str(tmp_path / "state"))

    class Altering(kind):  # type: ignore[misc]
        """Something alters a file that was there already, after all have been compared."""

        def finish(self, message: str, shown: Any) -> None:
            _append(self._at(SHARED))
            super().finish(message, shown)

    stage.deploy(make_site(tmp_path / "a", "one"), kind("flowers"), progress=Silent())
    with pytest.raises(ToolchainError, match=rf"{SHARED} in the copy for .* nothing was uploaded"):
        stage.deploy(make_site(tmp_path / "b", "two"), Altering("flowers"), progress=Silent())
    assert len(host.calls) == 1
    # The copy of what was handed over is whole, so the next deploy succeeds.
    stage.deploy(tmp_path / "b", kind("flowers"), progress=Silent())
    assert shown(host.shown)["index.html"] == "<!doctype html>two"
