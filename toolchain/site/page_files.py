"""Which files of a site its page runs a model with."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PageFiles:
    """Which files of a site a page runs one model with; paths relative to the site."""

    worker: str
    """Its script; what that imports lies beside it."""
    wasm: str
    """The WebAssembly with vector instructions."""
    contract: str
    weights: tuple[str, ...]
