"""Serves sites by real web servers on loopback, with the configuration that this tool writes."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import toolchain_serve
from toolchain.deploy import servers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

MODULES = Path("/usr/lib/nginx/modules")
NAMES = ("toolchain", "nginx", "caddy")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(command: list[str], port: int) -> Iterator[str]:
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as server:
        try:
            for _ in range(200):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                if server.poll() is not None:
                    assert server.stderr is not None
                    raise AssertionError(server.stderr.read().decode())
                time.sleep(0.05)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()
            server.wait(10)


@contextmanager
def nginx(site: Path, folder: Path) -> Iterator[str]:
    modules = sorted(MODULES.glob("*brotli_static*.so"))
    port = free_port()
    generated = servers.configuration(
        "nginx", root=str(site), address=f"127.0.0.1:{port}", brotli=bool(modules)
    )
    with _nginx(generated, folder, port, modules) as url:
        yield url


@contextmanager
def caching_proxy(origin: str, folder: Path) -> Iterator[str]:
    """Put nginx before a server as a CDN is: it keeps every answer, and says when it has one."""
    port = free_port()
    configuration = (
        f"proxy_cache_path {folder}/cache keys_zone=site:1m;\n"
        f"server {{\nlisten 127.0.0.1:{port};\nlocation / {{\n"
        f"proxy_pass {origin};\nproxy_cache site;\nproxy_cache_valid 200 1h;\n"
        "proxy_ignore_headers Cache-Control Expires Vary;\n"
        "proxy_cache_key $uri$http_accept_encoding;\nproxy_http_version 1.1;\n"
        "add_header X-Cache $upstream_cache_status;\n}\n}\n"
    )
    with _nginx(configuration, folder, port) as url:
        yield url


@contextmanager
def _nginx(
    configuration: str, folder: Path, port: int, modules: Sequence[Path] = ()
) -> Iterator[str]:
    binary = shutil.which("nginx") or "/usr/sbin/nginx"
    if not Path(binary).is_file():
        pytest.skip("needs Debian's nginx, which `make test` installs as root")
    (folder / "site.conf").write_text(configuration, "utf-8")
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
    with running([binary, "-p", str(folder), "-c", str(folder / "nginx.conf")], port) as url:
        yield url


@contextmanager
def caddy(site: Path, folder: Path) -> Iterator[str]:
    binary = shutil.which("caddy")
    if binary is None:
        pytest.skip("needs Debian's caddy, which `make test` installs as root")
    port = free_port()
    generated = servers.configuration("caddy", root=str(site), address=f"http://127.0.0.1:{port}")
    (folder / "Caddyfile").write_text("{\n    admin off\n}\n" + generated, "utf-8")
    command = [binary, "run", "--adapter", "caddyfile", "--config", str(folder / "Caddyfile")]
    with pytest.MonkeyPatch.context() as patch:
        for name in ("HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"):
            patch.setenv(name, str(folder))
        with running(command, port) as url:
            yield url


@contextmanager
def serving(name: str, site: Path, folder: Path) -> Iterator[str]:
    """Serve a site by one of these; give its address.

    Args:
        name: Of the server.
        site: What to serve.
        folder: An empty one, for the server's own files.
    """
    if name == "toolchain":
        with toolchain_serve(site) as url:
            yield url
    else:
        with {"nginx": nginx, "caddy": caddy}[name](site, folder) as url:
            yield url
