"""Serves a built site on this machine, by WhiteNoise (files, encodings) on Waitress (HTTP)."""

from __future__ import annotations

import logging
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from toolchain.errors import BadInputError, ToolchainError
from toolchain.site import build_info
from toolchain.site import headers as table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from toolchain.site.origins import Origins

    Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

HOST = "127.0.0.1"


def application(site: Path) -> Wsgi:
    """Return a WSGI application that serves a site as a good static host would.

    It sends the compressed files (`.br`, `.gz`) to browsers that accept them. Browsers may cache
    hashed names for ever and revalidate `index.html` each time. `sw.js`, by which browsers learn
    of a new version, may be cached for some minutes.

    Raises:
        BadInputError: There is no site at that path.
    """
    from whitenoise import WhiteNoise

    if not (site / "index.html").is_file():
        raise BadInputError(f"there is no site at {site}; build one with `toolchain build`")
    origins = build_info.origins_of(site)

    def add_headers(headers: Any, _path: str, url: str) -> None:
        path = url.removeprefix("/") or "index.html"
        # What depends on who asks is added to each answer.
        of_all = table.headers(path, origins.model_copy(update={"cors": ()}))
        for name, value in of_all.items():
            headers[name] = value

    served: Wsgi = WhiteNoise(
        _not_found,
        root=str(site),
        index_file=True,
        max_age=0,
        mimetypes=table.CONTENT_TYPES,
        charset="utf-8",
        allow_all_origins=False,
        add_headers_function=add_headers,
    )

    def without_hidden(environ: dict[str, Any], start: Callable[..., Any]) -> Iterable[bytes]:
        # A deploy into a folder stores its history in hidden files.
        hidden = "/." in str(environ["PATH_INFO"])
        if origins.cors:
            start = _sharing(environ, start, origins)
        return (_not_found if hidden else served)(environ, start)

    return without_hidden


def serve(site: Path, port: int, *, ready: Callable[[str], None]) -> None:
    """Serve until interrupted.

    Args:
        site: The built site.
        port: Port to listen on; 0 takes a free one.
        ready: Called with the URL once connections are accepted.

    Raises:
        ToolchainError: The port cannot be listened on.
    """
    from waitress.server import create_server

    # A browser requests many files at once; warnings about queued requests would be noise.
    logging.getLogger("waitress.queue").setLevel(logging.ERROR)
    app = application(site)
    try:
        server = create_server(app, host=HOST, port=port, threads=8, ident=None)
    except OSError as error:
        raise ToolchainError(
            f"port {port} cannot be listened on: {error.strerror}; choose another with --port"
        ) from error
    ready(f"http://{HOST}:{server.effective_port}/")
    try:
        server.run()
    finally:
        server.close()


@contextmanager
def beside(app: Wsgi) -> Iterator[str]:
    """Serve an application on a free loopback port while the block runs; yield its URL.

    At the end, connections that browsers keep open are closed.
    """
    from waitress import wasyncore
    from waitress.server import create_server

    sockets: dict[int, Any] = {}
    server = create_server(app, host=HOST, port=0, threads=8, ident=None, map=sockets)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    try:
        yield f"http://{HOST}:{server.effective_port}/"
    finally:
        pulled = threading.Event()

        def close() -> None:
            # An earlier pull may bring us here before ours has written to the trigger's pipe.
            pulled.wait()
            wasyncore.close_all(sockets, ignore_all=True)

        # Close them in the server's thread, which ends when no sockets are left.
        server.trigger.pull_trigger(close)
        pulled.set()
        thread.join()
        server.task_dispatcher.shutdown()


def _sharing(
    environ: dict[str, Any], start: Callable[..., Any], origins: Origins
) -> Callable[..., Any]:
    """Add the headers by which pages of other origins may read the file to its answer.

    WhiteNoise makes the headers of each file once, for all who ask, and has fewer for status 304.
    """
    path = str(environ["PATH_INFO"]).removeprefix("/")
    added = table.sharing(path, origins, environ.get("HTTP_ORIGIN"))

    def begin(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
        if added and not status.startswith(("4", "5")):
            vary = [value for name, value in headers if name == "Vary" and "Vary" in added]
            headers = [each for each in headers if each[0] not in added]
            joined = {"Vary": ", ".join([*vary, added["Vary"]])} if "Vary" in added else {}
            headers += (added | joined).items()
        return start(status, headers, *rest)

    return begin


def _not_found(_environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    body = b"There is no such file in this site.\n"
    headers = [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body)))]
    start_response("404 Not Found", headers)
    return [body]
