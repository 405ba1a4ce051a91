"""A site of another origin, whose pictures the page may or may not read."""

from __future__ import annotations

import http.server
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class OtherSite:
    """A site of another origin; every page may read its files below `/open/`."""

    def __init__(self, files: Mapping[str, tuple[str, bytes]]) -> None:
        self.files = files
        self.headers: list[Mapping[str, str]] = []
        """Of each request, with names in lower case."""
        site = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.headers.append({name.lower(): value for name, value in self.headers.items()})
                kind, content = site.files.get(self.path.split("/")[-1], ("", b""))
                self.send_response(200 if kind else 404)
                if self.path.startswith("/open/"):
                    self.send_header("Access-Control-Allow-Origin", "*")
                self.send_header("Content-Type", kind or "text/plain")
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/"

    def close(self) -> None:
        """Stop answering."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def other_site(files: Mapping[str, tuple[str, bytes]]) -> Iterator[OtherSite]:
    """Serve files by their names, each with its type."""
    site = OtherSite(files)
    try:
        yield site
    finally:
        site.close()
