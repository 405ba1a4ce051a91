"""Uses the DevTools protocol on a page and the workers that it starts."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from toolchain.throttling import Link

_PATIENCE_MS = 30_000
_STEP_MS = 20


class DevTools:
    """The DevTools sessions of one page and its workers.

    A page's dedicated workers share its throttled connection. A service worker has its own, which
    is throttled as soon as the worker exists; the two do not slow each other down.
    """

    def __init__(self, page: Page, network: Link) -> None:
        self._page = page
        self._conditions = _conditions(network)
        self._serial = count(1)
        self._answers: dict[int, dict[str, Any]] = {}
        self._workers: set[str] = set()
        self._session = page.context.new_cdp_session(page)
        self._session.on("Target.attachedToTarget", self._attached)
        self._session.on("Target.detachedFromTarget", self._detached)
        self._session.on("Target.receivedMessageFromTarget", self._heard)
        if self._conditions:
            self._session.send("Network.emulateNetworkConditions", self._conditions)
        # Flat sessions would be simpler, but Playwright offers no way to use them.
        self._session.send(
            "Target.setAutoAttach",
            {"autoAttach": True, "waitForDebuggerOnStart": False, "flatten": False},
        )

    def heap(self) -> tuple[int, int]:
        """Return the bytes of live JavaScript objects, and those of buffers and WebAssembly memory.

        Both are sums over the page and its dedicated workers.
        """
        usages = [self._session.send("Runtime.getHeapUsage")]
        usages += [self._ask(worker, "Runtime.getHeapUsage") for worker in self._workers]
        return (
            sum(int(usage.get("usedSize", 0)) for usage in usages),
            sum(int(usage.get("backingStorageSize", 0)) for usage in usages),
        )

    def _attached(self, event: dict[str, Any]) -> None:
        session = event["sessionId"]
        if event["targetInfo"]["type"] == "worker":
            self._workers.add(session)
        elif self._conditions:
            self._send(session, "Network.emulateNetworkConditions", self._conditions)

    def _detached(self, event: dict[str, Any]) -> None:
        self._workers.discard(event["sessionId"])

    def _heard(self, event: dict[str, Any]) -> None:
        message = json.loads(event["message"])
        if "id" in message:
            self._answers[message["id"]] = message.get("result", {})

    def _send(self, session: str, method: str, params: dict[str, Any] | None = None) -> int:
        from playwright.sync_api import Error

        serial = next(self._serial)
        message = json.dumps({"id": serial, "method": method, "params": params or {}})
        try:
            self._session.send(
                "Target.sendMessageToTarget", {"sessionId": session, "message": message}
            )
        except Error:
            # The worker has ended in the meantime.
            self._answers[serial] = {}
        return serial

    def _ask(self, session: str, method: str) -> dict[str, Any]:
        serial = self._send(session, method)
        for _ in range(_PATIENCE_MS // _STEP_MS):
            if serial in self._answers:
                break
            self._page.wait_for_timeout(_STEP_MS)
        return self._answers.get(serial, {})


def _conditions(network: Link) -> dict[str, Any] | None:
    if network.down_bits is None or network.up_bits is None:
        return None
    return {
        "offline": False,
        "latency": network.round_trip_ms,
        "downloadThroughput": network.down_bits / 8,
        "uploadThroughput": network.up_bits / 8,
    }
