"""Proxies and certificates that the environment names, met by the HTTP client for real."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import socket
import ssl
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests import mirror as hub
from tests.mirror import Heard, Mirror, Reply
from tests.test_http_client import BODY, POLICY, _plain_environment, ask  # noqa: F401 - a fixture
from tests.watchdog import HANG_S
from toolchain.errors import BadInputError
from toolchain.sources import http_client
from toolchain.sources.retries import AttemptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


@contextlib.contextmanager
def proxy(to: str | None) -> Iterator[list[str]]:
    """Run a proxy for one request, named by the environment, and give what it was asked.

    Args:
        to: It tunnels to the port of this address, whatever host is named; None: it refuses.
    """
    asked: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.MonkeyPatch.context() as patch:
        patch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{server.getsockname()[1]}")

        def serve() -> None:
            with contextlib.suppress(OSError), server.accept()[0] as client:
                asked.append(client.recv(4096).decode("ascii"))
                if to is None:
                    client.sendall(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                    return
                port = int(to.rpartition(":")[2])
                with socket.create_connection(("127.0.0.1", port)) as behind:
                    client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                    pumps = [
                        threading.Thread(target=_pump, args=ends)
                        for ends in ((client, behind), (behind, client))
                    ]
                    for pump in pumps:
                        pump.start()
                    for pump in pumps:
                        pump.join()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield asked
        finally:
            # Wakes up an `accept` that nobody came to.
            with contextlib.suppress(OSError):
                socket.create_connection(server.getsockname()).close()
            thread.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(1 << 16):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a certificate of its own authority for models.example, with its key in the file."""
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-subj", "/CN=models.example", "-addext", "subjectAltName=DNS:models.example"),
            *("-keyout", "key.pem", "-out", "certificate.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_bytes(b"".join((folder / f"{n}.pem").read_bytes() for n in ("key", "certificate")))
    return both


@pytest.fixture
def mirror() -> Iterator[Mirror]:
    with hub.running() as running:
        yield running


@pytest.fixture
def secure(certificate: Path) -> Iterator[Mirror]:
    """Run a mirror that speaks TLS, as the host models.example."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    with hub.running(tls=context) as running:
        yield running


URL = "https://models.example/m"


def test_a_proxy_of_the_environment_is_used(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch
) -> None:
    mirror.serve("/m", Reply(b"model"))
    monkeypatch.setenv("HTTP_PROXY", mirror.address.replace("//", "//me:sec%20ret@"))
    # Nobody knows this host but the proxy.
    assert ask("http://models.invalid/m") == (b"model", 5)
    assert mirror.said("/m", "Host") == ["models.invalid"]
    assert mirror.said("/m", "Proxy-Authorization") == ["Basic bWU6c2VjIHJldA=="]


@pytest.mark.parametrize("exempt", ["127.0.0.1", "*"])
def test_a_host_that_no_proxy_names_is_asked_itself(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, exempt: str
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", exempt)
    assert ask(mirror.serve("/m", Reply(b"model"))) == (b"model", 5)


def test_a_proxy_of_another_kind_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "socks5://me:secret@127.0.0.1:9")
    with pytest.raises(
        BadInputError, match=r"is not an HTTP proxy; write HTTP_PROXY=http"
    ) as raised:
        ask("http://models.invalid/m")
    assert "secret" not in str(raised.value)


def by_file(folder: Path, certificate: Path) -> dict[str, str]:  # noqa: ARG001
    return {"SSL_CERT_FILE": str(certificate)}


def by_bundle(folder: Path, certificate: Path) -> dict[str, str]:  # noqa: ARG001
    return {"REQUESTS_CA_BUNDLE": str(certificate)}


def by_folder(folder: Path, certificate: Path) -> dict[str, str]:
    (folder / certificate.name).write_bytes(certificate.read_bytes())
    subprocess.run(["openssl", "rehash", folder], check=True)
    return {"REQUESTS_CA_BUNDLE": str(folder)}


@pytest.mark.parametrize("trusting", [by_file, by_bundle, by_folder])
def test_a_certificate_that_the_environment_names_is_trusted_through_a_proxy(
    secure: Mirror,
    certificate: Path,
    tmp_path: Path,
    trusting: Callable[[Path, Path], dict[str, str]],
) -> None:
    secure.serve("/m", Reply(b"model"))
    script = (
        "import sys; from toolchain.sources import http_client, retries\n"
        f"print(http_client.ask({URL!r}, retries.NetworkPolicy(connect_timeout={HANG_S},"
        f" answer_timeout={HANG_S})))\n"
    )
    with proxy(secure.address) as asked:
        done = subprocess.run(
            [sys.executable, "-c", script],
            env={**os.environ, **trusting(tmp_path, certificate)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.stdout == "(b'model', 5)\n", done.stderr
    assert [line.split()[:2] for line in asked] == [["CONNECT", "models.example:443"]]


def test_a_certificate_of_nobody_is_not_trusted(
    secure: Mirror,
) -> None:
    with proxy(secure.address), pytest.raises(AttemptError) as raised:
        ask(URL)
    assert "its certificate cannot be verified (self" in raised.value.cause
    assert "SSL_CERT_FILE" in raised.value.remedy
    assert not raised.value.transient
    assert secure.requests == []


def test_nor_is_one_of_another_host(
    secure: Mirror, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with pytest.raises(AttemptError, match="its certificate cannot be verified"):
        ask(f"{secure.address}/m")
    assert secure.requests == []


def test_a_redirect_from_https_to_http_is_not_followed(
    secure: Mirror, mirror: Mirror, certificate: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secure.serve("/m", hub.redirect(mirror.serve("/m", Reply(b"model"))))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    with (
        proxy(secure.address),
        pytest.raises(AttemptError, match="redirects from https to http://127"),
    ):
        ask(URL)
    assert secure.asked("/m") == 1
    assert mirror.requests == []


def test_a_stalled_download_by_tls_ends(
    secure: Mirror, certificate: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    secure.serve("/m", Reply(BODY, drip_at=300_000))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    policy = dataclasses.replace(POLICY, stall_timeout=1)
    with (
        proxy(secure.address),
        pytest.raises(AttemptError, match=r"stalled: .+ came in 1 s"),
    ):
        http_client.download(
            URL,
            tmp_path / "m",
            label="it",
            policy=policy,
            deadline=math.inf,
            progress=Heard(),
        )


def test_a_proxy_that_refuses_is_named() -> None:
    with proxy(None), pytest.raises(AttemptError, match="407") as raised:
        ask(URL)
    assert raised.value.cause.startswith("the proxy 127.0.0.1:")
    assert "HTTPS_PROXY" in raised.value.remedy


def test_a_bundle_that_is_not_there_is_named(
    mirror: Mirror, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    with pytest.raises(BadInputError, match=r"REQUESTS_CA_BUNDLE names .*none\.pem"):
        ask(mirror.serve("/m", Reply(b"model")))
    assert mirror.requests == []
