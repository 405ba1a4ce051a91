"""The record of the files with which a page runs a model."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PageFiles:
    """The files of a site with which its page runs one model; paths relative to the site."""

    worker: str
    """The worker's script; the scripts that it imports are beside it."""
    wasm: str
    """The WebAssembly with vector instructions."""
    contract: str
    weights: tuple[str, ...]
