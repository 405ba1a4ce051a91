"""`toolchain verify`: each fault of a deployed site is found and named, on nginx and Caddy."""

from __future__ import annotations

import gzip
import http.server
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import brotli
import pytest

from tests import command_line
from tests.browser import plain_host, toolchain_serve
from tests.test_servers import FILES, SCRIPT
from tests.web_servers import caching_proxy, serving
from toolchain.deployment import servers
from toolchain.deployment.verify import FaultyDeploymentError, Verification, verify
from toolchain.errors import BadInputError, ToolchainError
from toolchain.progress import Silent
from toolchain.site import build_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

WEIGHTS = "model/shard.0123456789abcdef.bin"
WASM = "assets/tfjs-backend-wasm-simd-D2gECIS8.wasm"

INPUTS = build_info.Inputs(shard_bytes=4 << 20, page="0" * 64, samples=None, template=None)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    folder = tmp_path / "site"
    for path, text in FILES.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, "utf-8")
    build_info.write(folder, (), INPUTS)
    for parent in (folder, *folder.parents[:3]):
        parent.chmod(0o755)
    return folder


@pytest.fixture(params=["nginx", "caddy"])
def server(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def host(server: str, site: Path, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """Serve a copy of the site by a real server; give the address and the copy."""
    copy = tmp_path / "www"
    shutil.copytree(site, copy)
    with serving(server, copy, tmp_path) as url:
        yield url, copy


def check(url: str, site: Path | None = None, **options: bool) -> Verification:
    return verify(url, progress=Silent(), site=site, **options)


def test_a_site_that_is_served_well_has_no_fault(host: tuple[str, Path], site: Path) -> None:
    url, _ = host
    for built in (site, None):
        found = check(url, built)
        assert found.all_faults == []
        assert {each.path for each in found.files} == {
            path for path in FILES if not path.startswith("report.")
        }
    assert found.policy is not None
    assert "'wasm-unsafe-eval'" in found.policy
    assert found.wire_bytes == sum(each.wire_bytes for each in found.files) > 0
    found.enforce()


def test_a_site_of_toolchain_serve_has_no_fault(site: Path) -> None:
    with toolchain_serve(site) as url:
        assert check(url, site).all_faults == []


def missing(www: Path) -> None:
    (www / WEIGHTS).unlink()


def cut(www: Path) -> None:
    (www / WEIGHTS).write_bytes((www / WEIGHTS).read_bytes()[:-1])


def stale(www: Path) -> None:
    (www / WEIGHTS).write_bytes(b"\3\2\1")


def stale_page(www: Path) -> None:
    (www / "index.html").write_text("<!doctype html><title>old</title>" * 20, "utf-8")


def damaged_encoding(www: Path) -> None:
    (www / f"{SCRIPT}.gz").write_bytes(b"no gzip at all")


def packed_twice(www: Path) -> None:
    (www / f"{SCRIPT}.gz").write_bytes(gzip.compress(gzip.compress((www / SCRIPT).read_bytes())))


def packed_unsaid(www: Path) -> None:
    (www / SCRIPT).write_bytes(brotli.compress((www / SCRIPT).read_bytes()))


@pytest.mark.parametrize(
    ("seed", "sentence"),
    [
        (missing, rf"{WEIGHTS}: is not there: the host answers with status 404"),
        (cut, rf"{WEIGHTS}: is cut: 2 bytes instead of 3"),
        (stale, rf"{WEIGHTS}: is of another build"),
        (stale_page, r"index\.html: is (of another build|cut)"),
        (damaged_encoding, rf"{SCRIPT}: is damaged: .*Content-Encoding, gzip"),
        (packed_twice, rf"{SCRIPT}: is compressed twice, by gzip too"),
        (packed_unsaid, rf"{SCRIPT}: is compressed by br without a Content-Encoding"),
    ],
)
def test_a_file_that_is_not_as_it_was_built_is_named(
    host: tuple[str, Path], site: Path, seed: Callable[[Path], None], sentence: str
) -> None:
    url, www = host
    seed(www)
    found = check(url, site)
    assert len(found.all_faults) == 1
    with pytest.raises(FaultyDeploymentError, match=sentence) as raised:
        found.enforce()
    assert raised.value.exit_code == 1


@dataclass(frozen=True)
class Misconfigured:
    """A line of each server's configuration, and what stands there by mistake."""

    nginx: tuple[str, str]
    caddy: tuple[str, str]
    sentence: str


FOREVER = "public, max-age=31536000, immutable"
WRONG_TYPE = Misconfigured(
    ("application/wasm wasm;", "text/plain wasm;"),
    ('Content-Type "application/wasm"', 'Content-Type "text/plain"'),
    rf"{WASM}: has the type text/plain instead of application/wasm",
)
NOT_KEPT = Misconfigured(
    (FOREVER, "no-store"),
    (FOREVER, "no-store"),
    rf'has Cache-Control "no-store" where "{FOREVER}" is wanted',
)
KEPT_TOO_LONG = Misconfigured(
    ('default "no-cache";', 'default "max-age=86400";'),
    ('@other Cache-Control "no-cache"', '@other Cache-Control "max-age=86400"'),
    r'has Cache-Control "max-age=86400" where "no-cache" is wanted',
)
START_PAGE = Misconfigured(
    ("error_page 404 /404.html;", "error_page 404 =200 /index.html;"),
    ("    file_server {\n", "    try_files {path} /index.html\n    file_server {\n"),
    r"answers with status 200 for files that do not exist",
)
NO_POLICY = Misconfigured(
    ("add_header Content-Security-Policy $toolchain_policy;", ""),
    ("header @page Content-Security-Policy", "header @page X-Other"),
    r"the page has no Content-Security-Policy",
)


@contextmanager
def misconfigured(fault: Misconfigured, server: str, site: Path, folder: Path) -> Iterator[str]:
    """Serve a site by a server whose configuration has a fault."""
    right, (line, other) = servers.configuration, getattr(fault, server)

    def wrong(*arguments: Any, **options: Any) -> str:
        text = right(*arguments, **options)
        assert line in text
        return text.replace(line, other)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(servers, "configuration", wrong)
        with serving(server, site, folder) as url:
            yield url


@pytest.mark.parametrize(
    "fault",
    [WRONG_TYPE, NOT_KEPT, KEPT_TOO_LONG, START_PAGE, NO_POLICY],
    ids=["type", "not kept", "kept too long", "start page", "no policy"],
)
def test_headers_that_are_off_are_named(
    fault: Misconfigured, server: str, site: Path, tmp_path: Path
) -> None:
    with misconfigured(fault, server, site, tmp_path) as url:
        found = check(url, site)
    with pytest.raises(FaultyDeploymentError, match=fault.sentence):
        found.enforce()


def test_a_start_page_does_not_hide_a_missing_shard(
    server: str, site: Path, tmp_path: Path
) -> None:
    www = shutil.copytree(site, tmp_path / "www")
    missing(www)
    with misconfigured(START_PAGE, server, www, tmp_path) as url:
        faults = check(url, site).all_faults
    assert f"{WEIGHTS}: is not there: the host sent a web page in its place; deploy again" in faults


def test_a_fault_is_the_commands_exit_code_and_one_line(host: tuple[str, Path]) -> None:
    url, www = host
    cut(www)
    done = command_line.run("verify", url, "--no-visit")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == (
        f"toolchain: {url}: {WEIGHTS}: is cut: 2 bytes instead of 3; deploy again"
    )
    assert f"! {WEIGHTS}" in done.stdout


def test_a_cache_before_the_host_that_has_old_objects_is_named(
    server: str, site: Path, tmp_path: Path
) -> None:
    www = shutil.copytree(site, tmp_path / "www")
    stale(www)
    (tmp_path / "proxy").mkdir()
    with (
        serving(server, www, tmp_path) as origin,
        caching_proxy(origin, tmp_path / "proxy") as url,
    ):
        before = check(url, site).all_faults
        (www / WEIGHTS).write_bytes((site / WEIGHTS).read_bytes())  # deployed again
        assert check(origin, site).all_faults == []
        after = check(url, site).all_faults
    assert before == [f"{WEIGHTS}: is of another build; deploy again, or empty the CDN's cache"]
    assert after == [
        f"{WEIGHTS}: is of another build, from a cache in front of the host; empty that cache"
    ]


def test_a_length_that_is_not_kept_is_named(site: Path) -> None:
    class Lying(http.server.SimpleHTTPRequestHandler):
        def send_header(self, keyword: str, value: str) -> None:
            lies = keyword == "Content-Length" and self.path.endswith(WEIGHTS)
            super().send_header(keyword, str(int(value) + 7) if lies else value)

    with plain_host(site, Lying) as url:
        faults = check(url, site, custom_headers=False).all_faults
    (said,) = [fault for fault in faults if fault.startswith(WEIGHTS)]
    assert said.startswith(f"{WEIGHTS}: breaks off after 3 bytes where the host announces 10; fix")


def test_a_web_page_in_place_of_a_file_is_named(site: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(site, other)
    (other / "index.html").rename(other / "page.html")
    with toolchain_serve(site) as url:
        # As of a build whose `sw.js` this host has lost to its start page.
        info = build_info.read((site / build_info.NAME).read_bytes(), "here")
        files = {**info.files, "": info.files[SCRIPT]}
        text = info.model_copy(update={"files": files}).model_dump_json(by_alias=True)
        (other / build_info.NAME).write_text(text, "utf-8")
        found = check(url, other)
    assert found.all_faults == [
        ": is not there: the host sent a web page in its place; deploy again",
        *[each for each in found.all_faults if "type" in each],
    ]


def test_headers_are_not_asked_of_hosts_that_let_nobody_set_them(site: Path) -> None:
    (site / "index.html").write_text(
        '<!doctype html><meta http-equiv="Content-Security-Policy" content="default-src \'none\'">',
        "utf-8",
    )
    build_info.write(site, (), INPUTS)
    with plain_host(site) as url:
        assert check(url, site, custom_headers=False).all_faults == []
        assert any("Cache-Control" in fault for fault in check(url, site).all_faults)


def test_without_build_info_somebody_has_to_say_what_should_be_there(site: Path) -> None:
    (site / build_info.NAME).unlink()
    with toolchain_serve(site) as url, pytest.raises(BadInputError, match="with --site"):
        check(url)


@pytest.mark.parametrize("url", ["example", "ftp://example.org/"])
def test_what_is_no_address_is_a_sentence(url: str) -> None:
    with pytest.raises(BadInputError, match="is not a site's address"):
        check(url)


def test_a_host_that_does_not_answer_is_a_sentence() -> None:
    with pytest.raises(ToolchainError, match="could not be fetched"):
        check("http://127.0.0.1:9/")
