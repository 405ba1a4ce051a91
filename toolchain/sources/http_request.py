"""One GET request, with time limits and with the proxy and certificates of the environment.

urllib3 connects, handles TLS and reads the body. This module turns its errors into sentences for
the user.
"""

from __future__ import annotations

import concurrent.futures
import functools
import http.client
import os
import socket
import ssl
import threading
import time
import urllib.parse
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import urllib3
from urllib3 import exceptions

from toolchain.errors import BadInputError
from toolchain.sources import retries
from toolchain.sources.retries import AttemptError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from toolchain.sources.retries import NetworkPolicy

_T = TypeVar("_T")

HEAD_BYTES = 512
"""Enough to recognise HTML, compressed data and a tar header."""
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Response:
    """An answer whose body is not read yet, except for its first bytes."""

    raw: urllib3.BaseHTTPResponse
    head: bytes
    """The first `HEAD_BYTES` bytes of the body, or all of a shorter body; empty for a redirect or
    an error status."""
    policy: NetworkPolicy
    url: str = ""
    """The address that was asked, after all redirects."""

    @property
    def length(self) -> int | None:
        """Length of the body in bytes; None if the server does not tell it."""
        length = self.raw.headers.get("Content-Length", "")
        return int(length) if length.isdecimal() else None

    def pieces(self) -> Iterator[bytes]:
        """Yield the body in pieces as it comes, starting with the head.

        Raises:
            AttemptError: The body was cut off, or nothing came for too long.
        """
        yield self.head
        try:
            while piece := self.raw.read1(1 << 16, decode_content=False):
                yield piece
        except exceptions.ReadTimeoutError as error:
            raise retries.stalled(0, _silence(self.policy)) from error
        # Python raises ValueError if another thread has closed a TLS connection.
        except (exceptions.HTTPError, OSError, ValueError) as error:
            raise AttemptError(
                "the download was cut off", retries.TRY_LATER, transient=True
            ) from error


def origin(url: str) -> tuple[str, str | None, int | None]:
    """Return the scheme, host and port of a URL."""
    parts = urllib.parse.urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or PORTS.get(parts.scheme)


def get(url: str, headers: Mapping[str, str], policy: NetworkPolicy, deadline: float) -> Response:
    """Return the answer to one GET, of any status; redirects are not followed.

    Raises:
        AttemptError: There is no answer, or it is not HTTP, or it is too slow.
        BadInputError: The environment names a proxy or certificates that cannot be used.
    """
    proxy = _proxy(url)
    _, host, port = origin(proxy or url)
    peer = f"{'the proxy ' if proxy else ''}{host}:{port}"
    # A socket's time-out restarts with every byte, so headers could trickle in for ever.
    limit = 2 * policy.connect_timeout + policy.answer_timeout
    try:
        return _within(
            min(limit, deadline - time.monotonic()),
            functools.partial(_get, url, headers, proxy, policy),
        )
    except (exceptions.HTTPError, OSError) as error:
        late = isinstance(error, TimeoutError) and time.monotonic() >= deadline
        raise retries.overdue(policy) if late else _fault(error, peer, policy) from error


def _get(
    url: str, headers: Mapping[str, str], proxy: str | None, policy: NetworkPolicy
) -> Response:
    _look_up(proxy or url, policy)
    raw = _pool(proxy).request(
        "GET",
        url,
        headers={"Accept-Encoding": "identity", "User-Agent": "toolchain", **headers},
        preload_content=False,
        redirect=False,
        retries=False,
        timeout=urllib3.Timeout(connect=policy.connect_timeout, read=_silence(policy)),
    )
    head = b""
    late = time.monotonic() + policy.answer_timeout
    while raw.status < http.HTTPStatus.MULTIPLE_CHOICES and len(head) < HEAD_BYTES:
        if not (piece := raw.read1(HEAD_BYTES - len(head), decode_content=False)):
            break
        head += piece
        if time.monotonic() > late:
            raise TimeoutError
    return Response(raw, head, policy)


def _silence(policy: NetworkPolicy) -> float:
    """Return the time-out of one read; the stricter limits are checked outside the socket."""
    return max(policy.answer_timeout, policy.stall_timeout)


def _look_up(url: str, policy: NetworkPolicy) -> None:
    """Check that the host name resolves; the system's own look-up may take half a minute."""
    _, host, port = origin(url)
    limit = policy.connect_timeout
    try:
        _within(limit, functools.partial(socket.getaddrinfo, host, port))
    except TimeoutError as error:
        raise _unreachable(f"no name server knew {host} within {limit:g} s") from error
    except (OSError, UnicodeError) as error:
        raise _unreachable(f"the host {host} is unknown") from error


def _proxy(url: str) -> str | None:
    """Return the proxy for a URL, from the environment or the settings of macOS or Windows.

    Raises:
        BadInputError: It is not an HTTP proxy.
    """
    parts = urllib.parse.urlsplit(url)
    proxy = urllib.request.getproxies().get(parts.scheme)
    if not proxy or urllib.request.proxy_bypass(parts.netloc):
        return None
    proxy = proxy if "://" in proxy else f"http://{proxy}"
    scheme, host, _ = origin(proxy)
    if scheme not in PORTS or not host:
        raise BadInputError(
            f"the proxy for {parts.scheme} addresses is not an HTTP proxy; write "
            f"{parts.scheme.upper()}_PROXY=http://HOST:PORT"
        )
    return proxy


def _pool(proxy: str | None) -> urllib3.PoolManager:
    tls = _tls()
    if proxy is None:
        return urllib3.PoolManager(ssl_context=tls)
    parts = urllib.parse.urlsplit(proxy)
    who = ":".join(map(urllib.parse.unquote, (parts.username or "", parts.password or "")))
    return urllib3.ProxyManager(
        parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl(),
        ssl_context=tls,
        proxy_ssl_context=tls,
        proxy_headers=urllib3.make_headers(proxy_basic_auth=who) if parts.username else None,
    )


def _tls() -> ssl.SSLContext:
    """Return a TLS context with the trusted certificates.

    OpenSSL itself reads those of the system, or of SSL_CERT_FILE and SSL_CERT_DIR.

    Raises:
        BadInputError: REQUESTS_CA_BUNDLE or CURL_CA_BUNDLE cannot be read.
    """
    context = ssl.create_default_context()
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        if not (bundle := os.environ.get(name)):
            continue
        where = "capath" if Path(bundle).is_dir() else "cafile"
        try:
            context.load_verify_locations(**{where: bundle})
        except OSError as error:
            raise BadInputError(
                f"{name} names {bundle}, from which no certificates can be read "
                f"({error.strerror or error}); give a PEM file, or unset {name}"
            ) from error
    return context


def _fault(error: Exception, peer: str, policy: NetworkPolicy) -> AttemptError:
    """Return the error to raise for an error of urllib3 that came before the body.

    Args:
        error: The error.
        peer: How the sentence names the host or proxy that was asked.
        policy: The time limits.
    """
    cause = error.original_error if isinstance(error, exceptions.ProxyError) else error
    if isinstance(cause, exceptions.NewConnectionError):  # first: it is a ConnectTimeoutError too
        said = getattr(cause.__cause__, "strerror", None) or cause
        return _unreachable(f"{peer} cannot be reached ({said})")
    if isinstance(cause, exceptions.ConnectTimeoutError):
        return _unreachable(f"{peer} did not answer within {policy.connect_timeout:g} s")
    if isinstance(cause, TimeoutError | exceptions.ReadTimeoutError):
        return AttemptError(
            f"{peer} sent almost nothing for {policy.answer_timeout:g} s",
            retries.TRY_LATER,
            transient=True,
            unreachable=True,
        )
    return _broken(cause.args[-1] if cause.args else cause, peer)


def _broken(why: object, peer: str) -> AttemptError:
    """Return the error to raise for a connection that was made and then failed."""
    if isinstance(why, ssl.SSLCertVerificationError):
        return AttemptError(
            f"its certificate cannot be verified ({why.verify_message})",
            "check the clock of this machine, and set SSL_CERT_FILE if a proxy replaces "
            "certificates",
        )
    if isinstance(why, ConnectionError | http.client.IncompleteRead):
        return AttemptError("the connection was cut", retries.TRY_LATER, transient=True)
    if isinstance(why, http.client.HTTPException):
        return AttemptError(f"the answer is not HTTP ({why})")
    if "Tunnel connection failed" in str(why):
        return AttemptError(
            f"{peer} does not let the request through ({why})",
            "check HTTPS_PROXY and NO_PROXY in the environment",
        )
    return AttemptError(f"the connection failed ({why})", retries.CHECK_CONNECTION, transient=True)


def _unreachable(cause: str) -> AttemptError:
    return AttemptError(cause, retries.CHECK_CONNECTION, unreachable=True)


def _within(seconds: float, work: Callable[[], _T]) -> _T:
    """Run `work` in a thread and return its result, waiting `seconds` at most.

    Raises:
        TimeoutError: It took longer; the thread is left to end by itself.
    """
    future: concurrent.futures.Future[_T] = concurrent.futures.Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - passed to the waiting thread
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(max(0.0, seconds))
    except concurrent.futures.TimeoutError as error:  # the same as TimeoutError from 3.11 on
        raise TimeoutError from error
