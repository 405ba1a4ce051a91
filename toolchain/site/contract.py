"""The contract: one file that tells the page everything about its model but the weights.

It is JSON: class names, preprocessing and label offset, which are nowhere else in the site, and
the graph, so that the page need not fetch `model.json` too. It is stored as gzip, because many
hosts would send it uncompressed. `docs/contract.schema.json` is generated from these classes, and
the page's checks (`web/src/schemas/contract.ts`) from that schema.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from toolchain.errors import BadInputError
from toolchain.records.card import Activation, InputSpec, Provenance, Task, first_fault
from toolchain.records.none_of_these import NoneOfThese
from toolchain.tfjs import features
from toolchain.tfjs_graph import packing

if TYPE_CHECKING:
    from toolchain.tfjs.stage import TfjsModel

SCHEMA: Literal[4] = 4
_MAX_BYTES = 256 << 20  # of its text; a thousand times what a MobileNet needs


class _Part(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        populate_by_name=True,
        json_schema_serialization_defaults_required=True,
    )


Line = Annotated[str, Field(min_length=1)]
"""Text that the page shows or requests."""


class ContractModel(Provenance):
    """Which model it is and where its files are."""

    name: Line
    source: Line
    licence: Line
    url: Line
    """URL of `model.json`, relative to the page; the weight files are beside it."""
    quantization: Line
    weight_bytes: Annotated[int, Field(ge=0)]
    """Total size of the weight files, as stored."""


class ContractNoneOfThese(NoneOfThese):
    """The rule that finds photos of none of the labels (`toolchain/records/none_of_these.py`)."""

    feature: Line
    """Name of the graph's node whose output are the features, `[1, width]`."""


class ContractFeatures(_Part):
    """The features, which tell photos apart: the input of the last dense layer."""

    node: Line
    """Name of the graph's node whose output they are, `[1, width]` or `[1, 1, 1, width]`."""
    width: Annotated[int, Field(ge=1)]


class ContractOutput(_Part):
    """How to read the model's output row."""

    label_offset: Annotated[int, Field(ge=0)]
    activation: Activation
    task: Task
    threshold: Annotated[float, Field(gt=0, lt=1)]
    """For multi-label models: the least score at which a label becomes a tag."""
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    none_of_these: ContractNoneOfThese | None = None
    features: ContractFeatures | None = None
    """None if the graph has no single row of them."""


class Contract(_Part):
    """The whole file."""

    schema_: Annotated[Literal[4], Field(alias="schema")] = SCHEMA
    model: ContractModel
    input: InputSpec
    output: ContractOutput
    graph: dict[str, Any]
    """The content of `model.json`."""

    def to_bytes(self) -> bytes:
        """Return the file's content; equal contracts have equal bytes."""
        content = self.model_dump(mode="json", by_alias=True)
        text = json.dumps(content, separators=(",", ":"), ensure_ascii=False)
        return packing.without_header(gzip.compress(text.encode(), 9, mtime=0))


def read(content: bytes) -> Contract:
    """Read what :meth:`Contract.to_bytes` has written.

    Raises:
        BadInputError: It is not a contract of this version.
    """
    try:
        with gzip.open(io.BytesIO(packing.with_header(content))) as packed:
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
        reason = f"it is not an object ({error})"
    raise BadInputError(f"the contract is not of this version ({reason}); build the site again")


def make(model: TfjsModel, model_url: str) -> Contract:
    """Make the contract of a model."""
    converted = model.converted
    card = converted.card
    graph = json.loads((model.folder / converted.artifacts.model_json).read_text("utf-8"))
    rule = None
    if card.none_of_these is not None:
        feature = features.node_in(graph, card.provenance.source)
        rule = ContractNoneOfThese(**card.none_of_these.model_dump(), feature=feature)
    row = features.row_in(graph, card.label_offset + len(card.labels))
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
            none_of_these=rule,
            features=None if row is None else ContractFeatures(node=row.node, width=row.width),
        ),
        graph=graph,
    )


def json_schema() -> dict[str, Any]:
    """Return the JSON schema of the contract."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Contract.model_json_schema(by_alias=True, mode="serialization"),
    }
