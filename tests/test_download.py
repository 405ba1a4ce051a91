"""What hosts sent is kept by its handle alone, and looked over at each use."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests import mirror as hub
from toolchain import digest
from toolchain.progress import Silent
from toolchain.sources import download
from toolchain.sources.retries import NetworkPolicy

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.sources.download import Get

HANDLE = "https://tfhub.dev/some/model/1"


class Host:
    """Gives a model, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, folder: Path, get: Get | None = None) -> Path:  # noqa: ARG002
        assert folder.is_dir()
        self.asked += 1
        model = folder / "model"
        for name, content in hub.unpack(hub.archive()).items():
            (model / name).parent.mkdir(parents=True, exist_ok=True)
            (model / name).write_bytes(content)
        return model


def fetch(host: Host, store: Store) -> Path:
    return download.through_store(
        "tfhub", HANDLE, host, store=store, policy=NetworkPolicy(), progress=Silent()
    )


def test_a_model_is_fetched_once_and_no_version_of_the_tool_asks_again(store: Store) -> None:
    host = Host()
    first = fetch(host, store)
    assert download.is_kept(store, "tfhub", HANDLE)
    assert fetch(host, store) == first
    assert host.asked == 1
    # Where it lies depends on nothing but the handle.
    assert first.parent.parent.name == digest.of_bytes(HANDLE.encode())


@pytest.mark.parametrize("left", ["nothing", "no graph", "another file", "two models"])
def test_a_kept_copy_that_is_no_whole_model_is_fetched_anew_though_it_is_as_it_was_written(
    store: Store, left: str
) -> None:
    host = Host()
    with store.put("tfhub", digest.of_bytes(HANDLE.encode())) as folder:
        if left == "no graph":
            (folder / "model" / "variables").mkdir(parents=True)
            (folder / "model" / "variables" / "variables.index").write_bytes(b"index")
        elif left == "another file":
            (folder / "model").write_bytes(b"")
        elif left == "two models":
            host(folder)
            (folder / "model").rename(folder / "other")
            host(folder)
            host.asked = 0
    assert not download.is_kept(store, "tfhub", HANDLE)
    kept = fetch(host, store)
    assert host.asked == 1
    assert (kept / "saved_model.pb").is_file()
    assert download.is_kept(store, "tfhub", HANDLE)
