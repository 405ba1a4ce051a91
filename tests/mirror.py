"""A model hub on the loopback, with faults on request.

It answers like TF Hub and Kaggle: a path stands for an archive. It also acts as a proxy, where a
request has a whole URL instead of the path.
"""

from __future__ import annotations

import contextlib
import functools
import http.server
import io
import os
import sys
import tarfile
import threading
import urllib.parse
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from email.message import Message


@dataclass(frozen=True)
class Reply:
    """A response, and its faults."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut_at: int | None = None
    """Close the connection after this many bytes of the body."""
    drip_at: int | None = None
    """Send one byte a second from there on."""
    etag: str | None = None
    """Send this ETag, and only the part of the body that a Range request with it asks for."""


class Mirror:
    """The server; see :func:`running`."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.requests: list[str] = []
        self.hung_up = threading.Event()
        """Set once a client disconnected before everything was sent."""
        self.closing = threading.Event()
        self.headers: list[Message] = []
        """Of each request."""
        self._replies: dict[str, list[Reply]] = {}

    def serve(self, path: str, *replies: Reply) -> str:
        """Answer requests for `path` with these in turn, and then always with the last one."""
        self._replies[path] = list(replies)
        return self.address + path

    def asked(self, path: str) -> int:
        """Return how often `path` was requested."""
        return self.requests.count(path)

    def said(self, path: str, header: str) -> list[str | None]:
        """Return the value of a header in each request for `path`."""
        both = zip(self.requests, self.headers, strict=True)
        return [headers.get(header) for asked, headers in both if asked == path]

    def reply(self, path: str, headers: Message) -> Reply:
        """Take the next reply for a path."""
        self.headers.append(headers)
        self.requests.append(path)
        waiting = self._replies.get(path)
        if not waiting:
            return Reply(status=404)
        answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        return _part(answer, headers) if answer.etag else answer


def _part(reply: Reply, headers: Message) -> Reply:
    """Return a reply with its ETag, with the part of the body that is requested."""
    tagged = replace(reply, headers={**reply.headers, "ETag": reply.etag or ""})
    asked = headers.get("Range", "")
    if not asked or headers.get("If-Range") != reply.etag:
        return tagged
    begin, end = int(asked.removeprefix("bytes=").removesuffix("-")), len(reply.body)
    said = {"Content-Range": f"bytes {begin}-{end - 1}/{end}", **tagged.headers}
    return replace(tagged, status=206, body=reply.body[begin:], headers=said)


@contextlib.contextmanager
def running(tls: ssl.SSLContext | None = None) -> Iterator[Mirror]:
    """Run a mirror on a free port of 127.0.0.1."""
    server = _Server(("127.0.0.1", 0), _Handler)
    if tls is not None:
        # The first read does the handshake, in the request's own thread.
        server.socket = tls.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
    scheme = "http" if tls is None else "https"
    mirror = server.mirror = Mirror(f"{scheme}://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield mirror
    finally:
        mirror.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(http.server.ThreadingHTTPServer):
    mirror: Mirror

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore clients that disconnect, such as those that do not trust the certificate."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(http.server.BaseHTTPRequestHandler):
    server: _Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        mirror = self.server.mirror
        reply = mirror.reply(urllib.parse.urlsplit(self.path).path, self.headers)
        try:
            self.send_response(reply.status)
            self.send_header("Content-Length", str(len(reply.body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            at = reply.drip_at
            self.wfile.write(reply.body[: reply.cut_at if at is None else at])
            for byte in reply.body[at:] if at is not None else b"":
                if mirror.closing.wait(1.0):
                    break
                self.wfile.write(bytes([byte]))
        except ConnectionError:
            mirror.hung_up.set()


def html() -> Reply:
    """Return a page such as a portal or a moved site sends for every request."""
    return Reply(b"<!doctype html><title>Welcome</title>", headers={"Content-Type": "text/html"})


def redirect(to: str) -> Reply:
    """Return a redirect."""
    return Reply(status=302, headers={"Location": to})


def pack(files: dict[str, bytes], *, folders: bool = True) -> bytes:
    """Return a .tar.gz as TF Hub packs it, with separate entries for folders."""
    parents = {str(parent) for name in files for parent in Path(name).parents}
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name in sorted(parents) if folders else ():
            entry = tarfile.TarInfo(f"./{name}/")
            entry.type = tarfile.DIRTYPE
            tar.addfile(entry)
        for name, data in files.items():
            entry = tarfile.TarInfo(f"./{name}")
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def unpack(archive: bytes) -> dict[str, bytes]:
    """Return the files in an archive."""
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        return {
            str(Path(entry.name)): file.read()
            for entry in tar
            if entry.isfile() and (file := tar.extractfile(entry)) is not None
        }


@functools.cache
def archive() -> bytes:
    """Return a real model in TF Hub's format: a shared one, or a tiny one made here."""
    beside = Path(__file__).resolve().parents[2] / "shared"
    shared = Path(os.environ.get("TOOLCHAIN_SHARED", beside))
    path = shared / "models" / "mobilenet_v1_025_224.tar.gz"
    return path.read_bytes() if path.is_file() else _tiny()


def _tiny() -> bytes:
    import tempfile

    import tensorflow as tf

    class Scale(tf.Module):  # type: ignore[misc] # TensorFlow has no types
        def __init__(self) -> None:
            super().__init__()
            self.factor = tf.Variable(tf.random.normal([200, 200]))

        @tf.function(input_signature=[tf.TensorSpec([None, 200])])  # type: ignore[untyped-decorator]
        def __call__(self, inputs: Any) -> Any:
            return inputs @ self.factor

    with tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(Scale(), folder)
        root = Path(folder)
        files = (path for path in root.rglob("*") if path.is_file())
        return pack({path.relative_to(root).as_posix(): path.read_bytes() for path in files})


class Heard:
    """A :class:`toolchain.progress.Progress` that records what it is told."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.warned: list[str] = []
        self.bytes = 0
        self.total: int | None = None

    def say(self, message: str) -> None:
        self.said.append(message)

    def warn(self, message: str) -> None:
        self.warned.append(message)

    @contextlib.contextmanager
    def track(
        self,
        label: str,  # noqa: ARG002
        total: int | None = None,
        unit: str = "steps",
    ) -> Iterator[Heard]:
        assert unit == "bytes"
        self.bytes, self.total = 0, total
        yield self

    def advance(self, amount: int) -> None:
        self.bytes += amount
