"""What to build."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from toolchain.card import Declared
from toolchain.site.configuration import PageOptions

if TYPE_CHECKING:
    from pathlib import Path

    from toolchain.compress.options import CompressOptions
    from toolchain.sources.resolve import Request
    from toolchain.tfjs.convert import Quantization

SHARD_BYTES = 4 << 20


@dataclass(frozen=True)
class Weights:
    """How to store a model's weights."""

    quantization: Quantization
    """How the converter stores them; of no account where `compress` says more."""
    compress: CompressOptions | None = None
    """How to compress them instead."""

    @property
    def name(self) -> str:
        """The word that asks for them."""
        return self.compress.recipe if self.compress else self.quantization


@dataclass(frozen=True)
class BuildOptions:
    """What to build and where to."""

    request: Request
    out: Path
    quantization: Quantization = "float16"
    """How the converter stores the weights; of no account where `compress` says more."""
    compress: CompressOptions | None = None
    """How to compress them instead."""
    variants: tuple[Weights, ...] = ()
    """Other ways to store them, of other names, for the visitor to choose."""
    shard_bytes: int = SHARD_BYTES
    declared: Declared = field(default_factory=Declared)
    """What the user says of the model; it holds over what its source says."""
    preview: Request | None = None
    """A small model with the same labels, to answer first visits until the other one is there.
    What is declared holds for it too, but for the size and the licence."""
    fallback: bool = True
    """Build the embedded model where the hosts of a catalogue model are out of reach, and no
    preview where those of the preview are."""
    page: PageOptions = field(default_factory=PageOptions)

    @property
    def weights(self) -> Weights:
        """How to store them in the variant that the page begins with."""
        return Weights(self.quantization, self.compress)
