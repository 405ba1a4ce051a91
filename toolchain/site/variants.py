"""A model whose weights the site stores in several ways, among which the visitor chooses.

The first lies where a site's model lies and is the one that the page begins with; each other
one lies in `variants/NAME/`, with a contract of its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain.records.verdict import Drop, Expected

if TYPE_CHECKING:
    from toolchain.tfjs.stage import TfjsModel


@dataclass(frozen=True)
class Variant:
    """One way in which the weights are stored."""

    name: str
    """The word that asks for it, on the command line and in the page's address."""
    model: TfjsModel
    drop: Drop | Expected | None
    """What it loses against the model that the site was built from; None: not judged."""


def described(variant: Variant, files: dict[str, Any]) -> dict[str, object]:
    """Return what the page is told of a variant; `web/src/page/site-files.ts` reads it.

    Args:
        variant: The variant.
        files: Where its files are, as the template has them.
    """
    drop = variant.drop
    return {
        "name": variant.name,
        "contract": files["contract"],
        "weights": files["weight_urls"],
        "earlyWeights": len(files["early_weights"]),
        "weightBytes": files["weight_bytes"],
        "drop": drop
        and {
            "points": drop.points,
            "low": drop.low,
            "high": drop.high,
            "isCounted": isinstance(drop, Drop),
        },
    }
