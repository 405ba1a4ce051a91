"""Runs a model hub's own client: the child process behind :mod:`toolchain.sources.child`.

    python -m toolchain.sources.client (tfhub|kaggle) HANDLE

It writes one JSON object a line on standard output: `{"received": N}` four times a second,
N being the bytes that came over HTTP so far and null until the client is imported; then
either `{"folder": PATH}` or `{"failed": KIND, ...}`. All else that is written to standard
output goes to standard error.
"""

from __future__ import annotations

import errno
import http.client
import io
import json
import os
import sys
import threading
import time
import urllib.error
from typing import TYPE_CHECKING, Any

from toolchain import tf as tensorflow

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

_BEAT = 0.25  # seconds
_FULL_DISK = frozenset({errno.ENOSPC, errno.EDQUOT})


class _CountedSocket(io.RawIOBase):
    """The receiving end of a connection, counted."""

    received = 0
    _lock = threading.Lock()

    def __init__(self, raw: socket.SocketIO) -> None:
        self._raw = raw
        self.ended = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        count = self._raw.readinto(buffer)
        self.ended = self.ended or count == 0
        with self._lock:  # Kaggle's client downloads in eight threads
            _CountedSocket.received += count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _CountedResponse(http.client.HTTPResponse):
    """A response that counts what comes and knows whether it was cut.

    The clients write to disk in pieces of up to 10 MiB, so that the size of their files
    says nothing about a slow connection; and tarfile does not notice a body that ends
    within the padding of an archive.
    """

    seen: list[_CountedResponse] = []  # noqa: RUF012 - one process, one download

    def __init__(self, sock: socket.socket, *args: Any, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self._counted = _CountedSocket(sock.makefile("rb", buffering=0))
        self.fp = io.BufferedReader(self._counted)
        self.seen.append(self)

    @property
    def cut(self) -> bool:
        """Whether the server closed the connection before all it had announced."""
        return self._counted.ended and bool(self.length)


class _Voice:
    """Standard output, for this module alone."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._out = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)
        self.ready = False

    def tell(self, message: dict[str, Any]) -> None:
        with self._lock:
            self._out.write(json.dumps(message) + "\n")
            self._out.flush()

    def tell_received(self) -> None:
        self.tell({"received": _CountedSocket.received if self.ready else None})

    def beat(self) -> None:
        """Tell of the bytes received for ever; end the process once nobody listens."""
        while True:
            try:
                self.tell_received()
            except OSError:
                os._exit(1)
            time.sleep(_BEAT)


def main() -> None:
    """Fetch what the command line names."""
    client, handle = sys.argv[1:]
    voice = _Voice()
    # http.client makes its responses by this attribute, under urllib and urllib3 alike.
    http.client.HTTPConnection.response_class = _CountedResponse
    threading.Thread(target=voice.beat, daemon=True).start()
    try:
        folder = _tfhub(handle, voice) if client == "tfhub" else _kaggle(handle, voice)
        result = _cut() or {"folder": folder}
    except BaseException as error:  # noqa: BLE001 - told to the parent, whatever it is
        result = _describe(error)
    voice.tell_received()  # a small model comes between two beats
    voice.tell(result)
    os._exit(0)  # TensorFlow's own way out takes a second


def _tfhub(handle: str, voice: _Voice) -> str:
    with tensorflow.importing():
        import tensorflow_hub

    voice.ready = True
    return str(tensorflow_hub.resolve(handle))


def _kaggle(handle: str, voice: _Voice) -> str:
    import kagglehub

    voice.ready = True
    return str(kagglehub.model_download(handle))


def _cut() -> dict[str, Any] | None:
    if any(response.cut for response in _CountedResponse.seen):
        return {"failed": "network", "text": "the download was cut off"}
    return None


def _describe(error: BaseException) -> dict[str, Any]:
    """Return what went wrong in terms that the parent can act on."""
    chain = list(_chain(error))
    for link in chain:
        response: Any = link if isinstance(link, urllib.error.HTTPError) else None
        status = getattr(response, "code", None)
        if response is None and (response := getattr(link, "response", None)) is not None:
            status = getattr(response, "status_code", None)
        if isinstance(status, int) and status >= http.HTTPStatus.MULTIPLE_CHOICES:
            wait = response.headers.get("Retry-After")
            return {"failed": "status", "status": status, "retry_after": wait}
    said = f"{type(error).__name__}: {str(error).strip() or 'no reason given'}".splitlines()[0]
    if any(_is_full_disk(link) for link in chain):
        return {"failed": "disk", "text": said}
    if cut := _cut():
        return cut
    if any(_is_network(link) for link in chain):
        return {"failed": "network", "text": f"the connection failed ({said})"}
    return {"failed": "client", "text": said}


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and those it came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def _is_full_disk(error: BaseException) -> bool:
    # TensorFlow's file system raises an error of its own.
    return type(error).__name__ == "ResourceExhaustedError" or (
        isinstance(error, OSError) and error.errno in _FULL_DISK
    )


def _is_network(error: BaseException) -> bool:
    kinds = (TimeoutError, ConnectionError, urllib.error.URLError, http.client.HTTPException)
    library = type(error).__module__.partition(".")[0]
    # kagglehub compares checksums; what differs from its own was damaged on the way.
    damaged = type(error).__name__ == "DataCorruptionError"
    return isinstance(error, kinds) or library in {"requests", "urllib3"} or damaged


if __name__ == "__main__":
    main()
