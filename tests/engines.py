"""Opens a page, given its address, in each browser engine that is installed."""

from __future__ import annotations

import http
import http.client
import json
import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import tempfile
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser import FLAGS, chromium_path
from tests.watchdog import HANG_S, until
from toolchain.measurement.engines import QUIET_FIREFOX

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ENGINES = ("chromium", "firefox", "webkit")
_NEEDS = {"firefox": ("firefox-esr",), "webkit": ("WebKitWebDriver", "Xvfb")}
WEBKIT_IN_CONTAINERS = {"WEBKIT_DISABLE_SANDBOX_THIS_IS_DANGEROUS": "1"}
"""Containers do not allow a sandbox inside them."""


def lacking(engine: str) -> str | None:
    """Return a sentence that says what is not installed, or None."""
    missing = [tool for tool in _NEEDS.get(engine, ()) if shutil.which(tool) is None]
    return (
        f"needs {' and '.join(missing)} (`make servers` installs it on Debian)" if missing else None
    )


@contextmanager
def opened(
    engine: str,
    url: str,
    preferences: Mapping[str, Any] | None = None,
    *,
    allowed: str | None = None,
) -> Iterator[None]:
    """Show a page in a browser with a fresh profile.

    Args:
        engine: One of `ENGINES`.
        url: The page.
        preferences: Firefox' own, by their names in `about:config`.
        allowed: A permission that the page already has in Firefox, such as `canvas`.
    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True)))
        if engine == "webkit":
            stack.enter_context(_webkit(url))
        elif engine == "firefox":
            told = {**QUIET_FIREFOX, **(preferences or {})}
            lines = [f"user_pref({json.dumps(k)}, {json.dumps(v)});" for k, v in told.items()]
            (folder / "user.js").write_text("\n".join(lines), "utf-8")
            if allowed:
                _allow(folder / "permissions.sqlite", url, allowed)
            command = ["firefox-esr", "--headless", "--no-remote", "--profile", str(folder), url]
            stack.enter_context(_running(command))
        else:
            flags = (*FLAGS, "--headless", f"--user-data-dir={folder}")
            stack.enter_context(_running([chromium_path(), *flags, url]))
        yield


def _allow(database: Path, url: str, what: str) -> None:
    """Store a permission as Firefox does."""
    origin = url.rstrip("/")
    with closing(sqlite3.connect(database)) as written:
        written.execute("PRAGMA user_version = 12")
        written.execute(
            "CREATE TABLE moz_perms (id INTEGER PRIMARY KEY, origin TEXT, type TEXT, permission "
            "INTEGER, expireType INTEGER, expireTime INTEGER, modificationTime INTEGER)"
        )
        written.execute("INSERT INTO moz_perms VALUES (1, ?, ?, 1, 0, 0, 0)", (origin, what))
        written.commit()


@contextmanager
def _running(command: list[str], **more: Any) -> Iterator[subprocess.Popen[str]]:
    """Run a program; at the end kill it with all processes it has started."""
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, **more}
    with subprocess.Popen(command, start_new_session=True, text=True, **quiet) as process:
        try:
            yield process
        finally:
            os.killpg(process.pid, signal.SIGKILL)


@contextmanager
def _webkit(url: str) -> Iterator[None]:
    read, write = os.pipe()
    with ExitStack() as stack:
        display = ["Xvfb", "-displayfd", str(write), "-screen", "0", "1024x768x24"]
        stack.enter_context(_running(display, pass_fds=(write,)))
        os.close(write)
        with open(read, encoding="ascii") as told:  # noqa: PTH123 - a descriptor has no path
            number = told.readline().strip()
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        surroundings = {**os.environ, **WEBKIT_IN_CONTAINERS, "DISPLAY": f":{number}"}
        stack.enter_context(_running(["WebKitWebDriver", f"--port={port}"], env=surroundings))
        _until_it_listens(port)
        session = _ask(port, "/session", {"capabilities": {"alwaysMatch": {}}})["sessionId"]
        _ask(port, f"/session/{session}/url", {"url": url})
        yield


def _until_it_listens(port: int) -> None:
    def listens() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), HANG_S).close()
        except ConnectionError:
            return False
        return True

    until(listens, f"the driver listens at {port}")


def _ask(port: int, path: str, body: dict[str, Any]) -> Any:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=HANG_S)
    connection.request("POST", path, json.dumps(body))
    answer = connection.getresponse()
    told = json.load(answer)
    connection.close()
    assert answer.status == http.HTTPStatus.OK, told
    return told["value"]
