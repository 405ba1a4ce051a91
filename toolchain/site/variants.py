"""Variants: the same model with its weights stored in several ways, for the visitor to choose.

The first variant is where a site's model is, and the page begins with it. Each of the others is
in `variants/NAME/`, with its own contract.
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
    """Its name on the command line and in the page's address."""
    model: TfjsModel
    drop: Drop | Expected | None
    """Its drop against the model that the site was built from; None if it was not judged."""


def described(variant: Variant, files: dict[str, Any]) -> dict[str, object]:
    """Return a variant's data for the page; `web/src/page/site-files.ts` reads it.

    Args:
        variant: The variant.
        files: Its files, as the template gets them.
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
