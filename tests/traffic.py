"""Reads what Chromium's network log says that a browser has sent, whoever in it did so."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path


def flags(log: Path) -> tuple[str, ...]:
    """Return what Chromium is started with so that it writes the log, whole when it ends."""
    return (f"--log-net-log={log}", "--net-log-capture-mode=Everything")


@dataclass(frozen=True)
class Traffic:
    """All that left a browser."""

    requests: tuple[dict[str, Any], ...]
    """`url`, `method`, `initiator` and more of every request: of pages, of their workers and
    service workers, and of the browser itself, whose initiator is no origin."""
    sent: bytes
    """What was written to sockets: plain text where there is no TLS."""


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
