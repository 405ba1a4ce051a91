"""Reads from Chromium's network log all that a browser has sent, whichever part sent it."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def flags(log: Path) -> tuple[str, ...]:
    """Return the flags with which Chromium writes the log; it is complete when Chromium ends."""
    return (f"--log-net-log={log}", "--net-log-capture-mode=Everything")


@dataclass(frozen=True)
class Traffic:
    """All that left a browser."""

    requests: tuple[dict[str, Any], ...]
    """`url`, `method`, `initiator` and more of every request: of pages, of their workers and
    service workers, and of the browser itself, whose initiator is not an origin."""
    sent: bytes
    """The bytes written to sockets: plain text if there is no TLS."""


def read(log: Path) -> Traffic:
    """Read the log of a browser that has ended."""
    content = json.loads(log.read_text("utf-8"))
    names = {number: name for name, number in content["constants"]["logEventTypes"].items()}
    events = [(names[event["type"]], event.get("params", {})) for event in content["events"]]
    return Traffic(
        requests=tuple(
            params for name, params in events if name == "URL_REQUEST_START_JOB" and "url" in params
        ),
        sent=b"".join(
            base64.b64decode(params["bytes"])
            for name, params in events
            if name in ("SOCKET_BYTES_SENT", "UDP_BYTES_SENT")
        ),
    )
