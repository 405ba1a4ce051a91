"""A host on the loopback that fails as hosts and networks do, and records its requests."""

from __future__ import annotations

import http.server
import re
import threading
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from tests.watchdog import HANG_S
from toolchain.site import headers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from playwright.sync_api import BrowserContext

HTML = b"<!doctype html><title>Welcome</title><p>There is something else here."


@dataclass(frozen=True)
class Fault:
    """What goes wrong when a file is requested."""

    times: int | None = None
    """How often; None: always."""
    status: int = 200
    body: bytes | None = None
    """Sent instead of the file's."""
    content_type: str | None = None
    keep: float = 1.0
    """The share of the requested bytes after which the connection breaks.

    If it is more than 0, :class:`Reads` says when the page has received that share.
    """
    flip: bool = False
    """Whether one bit of the file is flipped."""
    is_short: bool = False
    """Whether half of the file is sent as if it were the whole file."""


@dataclass(frozen=True)
class Request:
    """A request to the host."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    """By name, in lower case."""
    body: bytes


# Bodies are read through `fetch` and a reader; this reports each piece that the page reads.
_TELL_OF_READS = """
const tell = (answer) => {
  const { body, url } = answer;
  if (!body) {
    return;
  }
  body.getReader = () => {
    const reader = ReadableStream.prototype.getReader.call(body);
    const read = reader.read.bind(reader);
    reader.read = async () => {
      const piece = await read();
      if (piece.value) {
        void tellOfRead(new URL(url).pathname, piece.value.length);
      }
      return piece;
    };
    return reader;
  };
};
const ask = globalThis.fetch;
globalThis.fetch = async (...asked) => {
  const answer = await ask(...asked);
  tell(answer);
  answer.clone = () => {
    const copy = Response.prototype.clone.call(answer);
    tell(answer); // which has another body now
    return copy;
  };
  return answer;
};
"""


class Reads:
    """Counts the bytes that pages of a browser profile have read with `fetch`."""

    def __init__(self, context: BrowserContext) -> None:
        self._counts: Counter[str] = Counter()
        self._changed = threading.Condition()
        context.expose_function("tellOfRead", self._note)
        context.add_init_script(_TELL_OF_READS)

    def _note(self, path: str, count: int) -> None:
        with self._changed:
            self._counts[path.lstrip("/")] += count
            self._changed.notify_all()

    def wait_for(self, path: str, count: int) -> None:
        """Wait until this many bytes of a file were read, over all responses."""
        with self._changed:
            assert self._changed.wait_for(lambda: self._counts[path] >= count, HANG_S), path


@dataclass
class FaultyHost:
    """A host of one site, and its faults."""

    site: Path
    has_ranges: bool = True
    reads: Reads | None = None
    faults: dict[str, Fault] = field(default_factory=dict)
    """By the file's path in the site."""
    requests: list[Request] = field(default_factory=list)
    sent: dict[str, int] = field(default_factory=dict)
    """Bytes of the bodies of each file."""
    url: str = ""

    def asked(self, path: str) -> list[Request]:
        """Return the requests for a file."""
        return [request for request in self.requests if request.path == path]


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    host: FaultyHost

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def handle(self) -> None:
        # A browser that disconnects during a response is not a fault of the host.
        with suppress(ConnectionError):
            super().handle()

    def do_GET(self) -> None:
        host = self.host
        split = urlsplit(self.path)
        path = split.path.lstrip("/") or "index.html"
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        lowered = {name.lower(): value for name, value in self.headers.items()}
        host.requests.append(Request(self.command, path, split.query, lowered, body))
        file = host.site / path
        if not file.is_file():
            self._send(path, b"", status=404)
            return
        content = file.read_bytes()
        fault = host.faults.get(path)
        if fault is None:
            self._send(path, content)
            return
        if fault.times is not None:
            host.faults[path] = Fault(**{**vars(fault), "times": fault.times - 1})
            if fault.times == 1:
                del host.faults[path]
        if fault.flip:
            changed = bytearray(content)
            changed[len(changed) // 2] ^= 1
            content = bytes(changed)
        if fault.is_short:
            content = content[: len(content) // 2]
        self._send(
            path,
            content if fault.body is None else fault.body,
            status=fault.status,
            content_type=fault.content_type,
            keep=fault.keep,
        )

    do_POST = do_GET  # noqa: N815 - the base class calls it so

    def _send(
        self,
        path: str,
        content: bytes,
        *,
        status: int = 200,
        content_type: str | None = None,
        keep: float = 1.0,
    ) -> None:
        asked = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", ""))
        sent = headers.headers(path)
        if content_type:
            sent["Content-Type"] = content_type
        if status >= HTTPStatus.BAD_REQUEST:
            sent["Cache-Control"] = headers.REVALIDATED
        if asked and self.host.has_ranges and status == 200:
            begin, end = int(asked[1]), len(content)
            status, content = 206, content[begin:]
            sent["Content-Range"] = f"bytes {begin}-{end - 1}/{end}"
        if keep == 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in sent.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        part = content[: int(keep * len(content))]
        self.wfile.write(part)
        self.host.sent[path] = self.host.sent.get(path, 0) + len(part)
        if keep < 1:
            # Otherwise the sent bytes could be lost with the connection before the page reads them.
            assert self.host.reads is not None
            self.host.reads.wait_for(path, self.host.sent[path])
            self.close_connection = True


@contextmanager
def faulty(
    site: Path, *, has_ranges: bool = True, reads: Reads | None = None
) -> Iterator[FaultyHost]:
    """Serve a site, at first without faults."""
    host = FaultyHost(site, has_ranges, reads)
    handler = type("Handler", (_Handler,), {"host": host})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    host.url = f"http://127.0.0.1:{server.server_address[1]}/"
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
