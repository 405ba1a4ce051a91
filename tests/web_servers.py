"""Serves sites with real web servers on the loopback, with the configuration by this tool."""

from __future__ import annotations

import functools
import shutil
import socket
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psutil
import pytest

from tests.browser import toolchain_serve
from tests.watchdog import HANG_S, until
from toolchain.deployment import servers
from toolchain.site import build_info

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

MODULES = Path("/usr/lib/nginx/modules")
NAMES = ("toolchain", "nginx", "caddy")
PORTS = 20
"""How many ports are tried before the failure cannot be bad luck."""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def brotli_modules() -> list[Path]:
    """Return nginx' modules that send `.br` files; none if the package is not installed."""
    return sorted(MODULES.glob("*brotli_static*.so"))


def require_brotli(name: str) -> None:
    """Skip the test if this server cannot send `.br` files on this machine."""
    if name == "nginx" and not brotli_modules():
        pytest.skip(
            "needs nginx' module brotli_static: Debian's libnginx-mod-http-brotli-static, which "
            "`make test` installs as root where the system has it"
        )


def listens(server: psutil.Process, port: int) -> bool:
    """Tell whether this process, and not another, listens at a port."""
    return any(
        one.status == psutil.CONN_LISTEN and one.laddr.port == port
        for one in server.net_connections("tcp")
    )


@contextmanager
def running(command: Callable[[int], Sequence[str | Path]]) -> Iterator[int]:
    """Run a server until the block ends, and yield the port that it listens at.

    Another process may take the free port before the server starts. Then the server ends, and is
    started again with another port.

    Args:
        command: Returns the command that starts the server at a port.

    Raises:
        AssertionError: The server ended, but not because its port was taken.
    """
    for _ in range(PORTS):
        port = free_port()
        with (
            tempfile.TemporaryFile() as said,
            subprocess.Popen(command(port), stdout=subprocess.DEVNULL, stderr=said) as server,
        ):
            try:
                until(
                    functools.partial(_listens_or_ended, server, port),
                    f"{server.args!r} listens at {port}",
                )
                if server.poll() is None:
                    yield port
                    return
            finally:
                server.terminate()
                server.wait(HANG_S)
            said.seek(0)
            complaint = said.read().decode()
        assert "in use" in complaint.lower(), complaint
    raise AssertionError(f"all of {PORTS} free ports were taken by other processes")


def _listens_or_ended(server: subprocess.Popen[bytes], port: int) -> bool:
    try:
        return server.poll() is not None or listens(psutil.Process(server.pid), port)
    except psutil.Error:  # it has ended meanwhile
        return False


@contextmanager
def nginx(site: Path, folder: Path) -> Iterator[str]:
    modules = brotli_modules()

    def configuration(port: int) -> str:
        return servers.configuration(
            "nginx",
            root=str(site),
            address=f"127.0.0.1:{port}",
            brotli=bool(modules),
            origins=build_info.origins_of(site),
        )

    with _nginx(configuration, folder, modules) as url:
        yield url


@contextmanager
def caching_proxy(origin: str, folder: Path) -> Iterator[str]:
    """Put nginx before a server like a CDN: it caches every response, and says when it used one."""

    def configuration(port: int) -> str:
        return (
            f"proxy_cache_path {folder}/cache keys_zone=site:1m;\n"
            f"server {{\nlisten 127.0.0.1:{port};\nlocation / {{\n"
            f"proxy_pass {origin};\nproxy_cache site;\nproxy_cache_valid 200 1h;\n"
            "proxy_ignore_headers Cache-Control Expires Vary;\n"
            "proxy_cache_key $uri$http_accept_encoding;\nproxy_http_version 1.1;\n"
            "add_header X-Cache $upstream_cache_status;\n}\n}\n"
        )

    with _nginx(configuration, folder) as url:
        yield url


@contextmanager
def _nginx(
    configuration: Callable[[int], str], folder: Path, modules: Sequence[Path] = ()
) -> Iterator[str]:
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(binary).is_file():
        pytest.skip("needs Debian's nginx, which `make test` installs as root")
    (folder / "nginx.conf").write_text(
        "".join(f"load_module {module};\n" for module in modules)
        + "user root;\nworker_processes auto;\ndaemon off;\n"
        + f"pid {folder}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n"
        + "".join(
            f"{kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        + f"include {folder}/site.conf;\n}}\n",
        "utf-8",
    )

    def command(port: int) -> list[str | Path]:
        (folder / "site.conf").write_text(configuration(port), "utf-8")
        return [binary, "-p", folder, "-c", folder / "nginx.conf"]

    with running(command) as port:
        yield f"http://127.0.0.1:{port}/"


@contextmanager
def caddy(site: Path, folder: Path) -> Iterator[str]:
    binary = shutil.which("caddy")
    if binary is None:
        pytest.skip("needs Debian's caddy, which `make test` installs as root")

    def command(port: int) -> list[str | Path]:
        generated = servers.configuration(
            "caddy",
            root=str(site),
            address=f"http://127.0.0.1:{port}",
            origins=build_info.origins_of(site),
        )
        (folder / "Caddyfile").write_text("{\n    admin off\n}\n" + generated, "utf-8")
        return [binary, "run", "--adapter", "caddyfile", "--config", folder / "Caddyfile"]

    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            patch.setenv(name, str(folder))
        with running(command) as port:
            yield f"http://127.0.0.1:{port}/"


@contextmanager
def serving(name: str, site: Path, folder: Path) -> Iterator[str]:
    """Serve a site with one of these servers; yield its address.

    Args:
        name: The server, one of `NAMES`.
        site: What to serve.
        folder: An empty folder for the server's own files.
    """
    if name == "toolchain":
        with toolchain_serve(site) as url:
            yield url
    else:
        with {"nginx": nginx, "caddy": caddy}[name](site, folder) as url:
            yield url
