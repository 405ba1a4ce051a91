"""The one JSON file that tells the page how to feed the model and read its answer.

Class names, preprocessing and label offset stand here and nowhere else in the site; the
reader's side is `web/src/contract.ts`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from pydantic import BaseModel, ConfigDict

from toolchain.card import InputSpec, Provenance
from toolchain.tfjs.artifacts import Activation

if TYPE_CHECKING:
    from toolchain.tfjs.stage import Converted

SCHEMA: Literal[1] = 1


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ContractModel(Provenance):
    """Which model it is and where it lies."""

    url: str
    """Of `model.json`, relative to the page."""
    quantization: str
    weight_bytes: int


class ContractOutput(_Part):
    """How to read the model's output row."""

    label_offset: int
    activation: Activation
    labels: tuple[str, ...]


class Contract(_Part):
    """The whole file."""

    schema_: Literal[1] = SCHEMA
    model: ContractModel
    input: InputSpec
    output: ContractOutput

    def to_json(self) -> bytes:
        """Return the file's content, the same for the same contract."""
        content = self.model_dump(mode="json")
        content = {"schema": content.pop("schema_"), **content}
        import json

        return json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()


def make(converted: Converted, model_url: str) -> Contract:
    """Write down what the page needs of a converted model."""
    card = converted.card
    return Contract(
        model=ContractModel(
            **card.provenance.model_dump(),
            url=model_url,
            quantization=converted.quantization,
            weight_bytes=converted.artifacts.weight_bytes,
        ),
        input=card.input,
        output=ContractOutput(
            label_offset=card.label_offset,
            activation=converted.artifacts.activation,
            labels=card.labels,
        ),
    )
