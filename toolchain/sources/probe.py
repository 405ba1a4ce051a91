"""Asks a server for the first bytes of an answer, to learn within seconds what it is.

The clients that download models wait for ever and import for long; what is wrong with an
address shows before they are started.
"""

from __future__ import annotations

import concurrent.futures
import functools
import http.client
import socket
import ssl
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from toolchain.sources import network
from toolchain.sources.network import AttemptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.sources.network import NetworkPolicy

_T = TypeVar("_T")

HEAD_BYTES = 512
"""Enough to know HTML, compressed data and a tar header by."""


@dataclass(frozen=True)
class Answer:
    """How an answer begins."""

    head: bytes
    """The first `HEAD_BYTES` bytes of the body, or all of a shorter one."""
    total: int | None
    """Length of the body, where the server says it."""


def ask(url: str, policy: NetworkPolicy) -> Answer:
    """Return the beginning of what is at an http(s) address, redirects followed.

    Proxies and certificates are those that Python's urllib uses.

    Raises:
        AttemptError: Nothing useful came.
    """
    # Whatever comes drop by drop, headers included, ends here; redirects get a second go.
    limit = 2 * (2 * policy.connect_timeout + policy.answer_timeout)
    try:
        return _within(limit, functools.partial(_ask, url, policy))
    except urllib.error.HTTPError as error:
        with error:
            raise network.status_error(error.code, error.headers.get("Retry-After")) from error
    except urllib.error.URLError as error:
        raise _connection_error(error.reason) from error
    except TimeoutError as error:
        raise AttemptError(
            f"{url.split('/')[2]} sent next to nothing for {policy.answer_timeout:g} s",
            network.TRY_LATER,
            transient=True,
            unreachable=True,
        ) from error
    except (ConnectionError, http.client.IncompleteRead) as error:
        raise AttemptError("the connection was cut", network.TRY_LATER, transient=True) from error
    except http.client.HTTPException as error:
        raise AttemptError(f"what answers there does not speak HTTP ({error})") from error


class _ConnectError(OSError):
    """No connection came about; the message is a clause for the user."""


class _Patient(http.client.HTTPConnection):
    """A connection with one time-out for its making and another for the answer."""

    def __init__(self, host: str, *, answer_timeout: float, **options: Any) -> None:
        super().__init__(host, **options)
        self._answer_timeout = answer_timeout

    def connect(self) -> None:
        """Connect, or say what stood in the way."""
        limit = self.timeout or 0.0
        try:
            # The system's own look-up takes up to half a minute where no name server answers.
            _within(limit, functools.partial(socket.getaddrinfo, self.host, self.port))
        except TimeoutError as error:
            raise _ConnectError(f"no name server knew {self.host} within {limit:g} s") from error
        except (OSError, UnicodeError) as error:
            raise _ConnectError(f"the host {self.host} is unknown") from error
        try:
            super().connect()
        except ssl.SSLError:
            raise
        except TimeoutError as error:
            raise _ConnectError(
                f"{self.host}:{self.port} did not answer within {limit:g} s"
            ) from error
        except OSError as error:
            raise _ConnectError(
                f"{self.host}:{self.port} cannot be reached ({error.strerror or error})"
            ) from error
        self.sock.settimeout(self._answer_timeout)


class _SecurePatient(_Patient, http.client.HTTPSConnection):
    pass


class _Handler(urllib.request.HTTPSHandler, urllib.request.HTTPHandler):
    def __init__(self, policy: NetworkPolicy) -> None:
        super().__init__()
        self._wait: dict[str, Any] = {"answer_timeout": policy.answer_timeout}

    def http_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        return self.do_open(functools.partial(_Patient, **self._wait), req)

    def https_open(self, req: urllib.request.Request) -> http.client.HTTPResponse:
        secure = functools.partial(
            _SecurePatient, context=ssl.create_default_context(), **self._wait
        )
        return self.do_open(secure, req)


def _ask(url: str, policy: NetworkPolicy) -> Answer:
    opener = urllib.request.build_opener(_Handler(policy))
    with opener.open(url, timeout=policy.connect_timeout) as response:
        length = response.headers.get("Content-Length", "")
        head = b""
        late = time.monotonic() + policy.answer_timeout
        while len(head) < HEAD_BYTES and (piece := response.read1(HEAD_BYTES - len(head))):
            head += piece
            if time.monotonic() > late:
                raise TimeoutError
        return Answer(head, int(length) if length.isdecimal() else None)


def _connection_error(reason: str | BaseException) -> AttemptError:
    if isinstance(reason, _ConnectError):
        return AttemptError(str(reason), network.CHECK_CONNECTION, unreachable=True)
    if isinstance(reason, ssl.SSLCertVerificationError):
        return AttemptError(
            f"its certificate cannot be verified ({reason.verify_message})",
            "check the clock of this machine, and set SSL_CERT_FILE where a proxy signs anew",
        )
    return AttemptError(
        f"the connection failed ({reason})", network.CHECK_CONNECTION, transient=True
    )


def _within(seconds: float, work: Callable[[], _T]) -> _T:
    """Return what `work` returns, or stop waiting for it.

    Raises:
        TimeoutError: It took longer; its thread is left to end by itself.
    """
    future: concurrent.futures.Future[_T] = concurrent.futures.Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:  # noqa: BLE001 - handed over to the thread that waits
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    try:
        return future.result(seconds)
    except concurrent.futures.TimeoutError as error:  # TimeoutError itself from 3.11 on
        raise TimeoutError from error
