"""The one file that tells the page all of its model but the weights.

It is JSON: class names, preprocessing and label offset, which stand nowhere else in the
site, and the graph, so that a page need not ask for `model.json` too. It is stored as gzip,
for many hosts would send it uncompressed. The reader's side is `web/src/contract.ts`.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from toolchain.errors import BadInputError
from toolchain.records.card import Activation, InputSpec, Provenance, Task, first_fault

if TYPE_CHECKING:
    from toolchain.tfjs.stage import TfjsModel

SCHEMA: Literal[3] = 3
_MAX_BYTES = 256 << 20  # of its text, a thousand times that of a MobileNet's


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ContractModel(Provenance):
    """Which model it is and where it lies."""

    url: str
    """Of `model.json`, relative to the page; the files of weights lie beside it."""
    quantization: str
    weight_bytes: int
    """Of all files of weights, as they are stored."""


class ContractOutput(_Part):
    """How to read the model's output row."""

    label_offset: int
    activation: Activation
    task: Task
    threshold: float
    """Of a multi-label model: the score from which on a label is a tag."""
    labels: tuple[str, ...]


class Contract(_Part):
    """The whole file."""

    schema_: Literal[3] = SCHEMA
    model: ContractModel
    input: InputSpec
    output: ContractOutput
    graph: dict[str, Any]
    """The content of `model.json`."""

    def to_bytes(self) -> bytes:
        """Return the file's content, the same for the same contract."""
        content = self.model_dump(mode="json")
        content = {"schema": content.pop("schema_"), **content}
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        return gzip.compress(text.encode(), 9, mtime=0)


def read(content: bytes) -> Contract:
    """Read what :meth:`Contract.to_bytes` has written.

    Raises:
        BadInputError: It is something else.
    """
    try:
        with gzip.open(io.BytesIO(content)) as packed:
            text = packed.read(_MAX_BYTES + 1)
        if len(text) > _MAX_BYTES:
            raise ValueError(f"it unpacks to more than {_MAX_BYTES:,} bytes")
        fields = json.loads(text)
        return Contract(schema_=fields.pop("schema"), **fields)
    except ValidationError as error:
        reason = first_fault(error)
    except (OSError, EOFError, zlib.error, ValueError, LookupError, TypeError) as error:
        reason = str(error)
    except (AttributeError, RecursionError) as error:
        reason = f"it is no object ({error})"
    raise BadInputError(f"the contract is not of this version ({reason}); build the site again")


def make(model: TfjsModel, model_url: str) -> Contract:
    """Write down what the page needs of a model."""
    converted = model.converted
    card = converted.card
    graph = (model.folder / converted.artifacts.model_json).read_text("utf-8")
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
            task=card.task,
            threshold=card.threshold,
            labels=card.labels,
        ),
        graph=json.loads(graph),
    )
