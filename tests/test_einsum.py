"""`Einsum` as products of matrices: the same numbers, without the operation."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from toolchain import tf as tensorflow
from toolchain.graph import einsum
from toolchain.graph.running import function_of

SIZES = {"a": 2, "b": 3, "c": 4, "d": 5, "e": 6}


def graph_of(equation: str, *, photos: int | None) -> tuple[Any, Any]:
    """Return a graph of one product with a constant, and what to feed it."""
    tf = tensorflow.load()
    left, right = equation.partition("->")[0].split(",")
    random = np.random.default_rng(0)
    fed = random.normal(size=[SIZES[each] for each in left]).astype(np.float32)
    constant = random.normal(size=[SIZES[each] for each in right]).astype(np.float32)
    with tf.Graph().as_default() as graph:
        image = tf.compat.v1.placeholder(tf.float32, (photos, *fed.shape[1:]), "image")
        tf.identity(tf.einsum(equation, image, tf.constant(constant)), "scores")
    return graph.as_graph_def(), fed


@pytest.mark.parametrize("photos", [None, 2], ids=["any number of photos", "two photos"])
@pytest.mark.parametrize(
    "equation",
    [
        "abc,cde->abde",  # a projection to heads
        "abde,deb->ad",
        "aecd,abcd->acbe",  # scores of attention
        "acbe,aecd->abcd",  # what is attended to
        "abcd,cde->abe",  # the projection back
        "ab,bc->ac",
        "ab,bc->ca",
        "abc,abd->acd",
        "ab,cd->abcd",  # no sum at all
    ],
)
def test_a_product_of_two_tensors_is_the_same_without_einsum(
    equation: str, photos: int | None
) -> None:
    graph_def, fed = graph_of(equation, photos=photos)
    expected = function_of(graph_def, "image", "scores")(fed)
    einsum.rewrite(graph_def)
    assert "Einsum" not in {node.op for node in graph_def.node}
    found = function_of(graph_def, "image", "scores")(fed)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("equation", ["abc,c->a", "abc,dc->abd"])
def test_a_sum_over_one_tensor_alone_is_left_as_it_is(equation: str) -> None:
    """The second can be rewritten, the first cannot: its sum over b is of one tensor alone."""
    graph_def, fed = graph_of(equation, photos=None)
    expected = function_of(graph_def, "image", "scores")(fed)
    einsum.rewrite(graph_def)
    is_left = "Einsum" in {node.op for node in graph_def.node}
    assert is_left == (equation == "abc,c->a")
    found = function_of(graph_def, "image", "scores")(fed)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)
