"""Makes `web/test/teach-fixture.json`: photos' features, and what the page is to learn from them.

`python -m tests.teach_fixture` writes it again; `tests/test_teach.py` finds out if that is due.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from toolchain.training import class_centres, logistic

PATH = Path(__file__).parents[1] / "web" / "test" / "teach-fixture.json"
_PENALTY = 0.1  # of web/src/teach/ridge.ts
_FOLDS = 5

Array = np.ndarray[Any, Any]


def photos() -> tuple[Array, Array]:
    """Return features of 24 photos, float32 `[24, 7]`, and their tags, int `[24]`."""
    random = np.random.default_rng(7)
    tags = np.array([0, 1, 2, 0, 1, 2, 1, 1, 0, 2, 1, 1, 2, 0, 1, 1, 0, 2, 1, 1, 0, 1, 2, 1])
    means = random.uniform(0, 2, (3, 7))
    rows = means[tags] + random.normal(0, 0.6, (len(tags), 7))
    features: Array = rows.clip(0).round(4).astype(np.float32)
    return features, tags


def left_out(features: Array, tags: Array) -> Array:
    """Return what each photo gets by ridge regression on the others, float64 `[photos, tags]`."""
    first = features[: 2 ** int(np.log2(len(features)))].astype(np.float64)
    centre = first.mean(axis=0)
    scale = 1 / ((first - centre) ** 2).sum(axis=1).mean()
    rows = np.hstack([(features - centre) * np.sqrt(scale), np.ones((len(features), 1))])
    wanted = np.eye(tags.max() + 1)[tags] - 1 / (tags.max() + 1)
    found: Array = np.zeros_like(wanted)
    for at in range(len(rows)):
        others = np.arange(len(rows)) != at
        squares = rows[others].T @ rows[others] + _PENALTY * np.eye(rows.shape[1])
        found[at] = rows[at] @ np.linalg.solve(squares, rows[others].T @ wanted[others])
    return found


def make() -> dict[str, Any]:
    """Return the fixture's content."""
    features, tags = photos()
    truth = np.eye(tags.max() + 1, dtype=bool)[tags]
    rotated = logistic.rotate(features)
    weights = logistic.balanced(truth, task="single-label")
    fitted = logistic.fit(rotated.values, truth, weights, 1.0, task="single-label", tolerance=1e-8)
    kernel, bias = rotated.layer(fitted[:-1], fitted[-1])
    counts = np.zeros(truth.shape[1], int)
    folds = np.zeros(len(tags), int)
    for at, tag in enumerate(tags):
        folds[at] = counts[tag] % _FOLDS
        counts[tag] += 1
    rule = class_centres.learn(features, truth)
    threshold = class_centres.threshold(class_centres.out_of_fold(features, truth, folds), None)
    return {
        "features": [[float(value) for value in row] for row in features],
        "tags": tags.tolist(),
        "leftOut": left_out(features, tags).round(9).tolist(),
        "outputs": (features @ kernel + bias).round(6).tolist(),
        "rule": {
            "threshold": round(threshold, 9),
            "coordinates": rule.indices.tolist(),
            "centres": rule.vectors.tolist(),
        },
    }


if __name__ == "__main__":
    PATH.write_text(f"{json.dumps(make())}\n", "utf-8")
