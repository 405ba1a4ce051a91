"""Teaching tags in the page: what the page's tests compare it with is what Python learns."""

from __future__ import annotations

import json

import numpy as np

from tests import teach_fixture


def test_the_pages_tests_expect_what_python_learns() -> None:
    kept = json.loads(teach_fixture.PATH.read_text("utf-8"))
    made = teach_fixture.make()
    assert kept.keys() == made.keys()
    for name in ("features", "tags", "leftOut", "outputs"):
        np.testing.assert_allclose(kept[name], made[name], atol=1e-3, err_msg=name)
    assert kept["rule"]["coordinates"] == made["rule"]["coordinates"]
    np.testing.assert_allclose(kept["rule"]["centres"], made["rule"]["centres"], atol=1)
    np.testing.assert_allclose(kept["rule"]["threshold"], made["rule"]["threshold"], atol=1e-3)
