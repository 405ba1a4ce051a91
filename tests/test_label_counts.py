"""There is one label for each output of a model; only ImageNet's background has none."""

from __future__ import annotations

import pytest

from toolchain.errors import BadInputError
from toolchain.labels import imagenet, reading

WNIDS = imagenet.wnids()
IMAGENET = imagenet.labels()


@pytest.mark.parametrize(
    ("count", "offset", "classes", "fitted"),
    [(5, None, 5, 0), (5, 0, 5, 0), (4, 1, 5, 1), (5, None, None, 0), (5, 2, None, 2)],
)
def test_labels_that_fit_are_kept(
    count: int, offset: int | None, classes: int | None, fitted: int
) -> None:
    names = IMAGENET[:count]
    assert reading.fit(names, offset, classes, "mine") == (names, fitted, None)


@pytest.mark.parametrize(
    "names",
    [
        IMAGENET,
        WNIDS,
        tuple(name.replace(" ", "_").title() for name in IMAGENET),
        tuple(f"{name}, and another" for name in IMAGENET),
    ],
)
def test_only_imagenets_labels_leave_the_first_output_out(names: tuple[str, ...]) -> None:
    kept, offset, note = reading.fit(names, None, 1001, "mine")
    assert (kept, offset) == (names, 1)
    assert note is not None
    assert "mine has 1,001 outputs for ImageNet's 1,000 labels" in note
    with pytest.raises(BadInputError, match="has 1001 classes but there are 1000 labels;"):
        reading.fit(names, 0, 1001, "mine")


@pytest.mark.parametrize(
    ("names", "offset", "classes", "fault"),
    [
        (("a",) * 4, None, 5, "has 5 classes but there are 4 labels; .* give --label-offset 1"),
        (("a",) * 1000, None, 1001, "has 1001 classes but there are 1000 labels"),
        (IMAGENET[::-1], None, 1001, "has 1001 classes but there are 1000 labels"),
        (("a",) * 3, None, 5, "has 5 classes but there are 3 labels; give .* --labels FILE$"),
        (("a",) * 5, 1, 5, "has 5 classes but there are 5 labels after 1 skipped; .* FILE$"),
        (
            ("background", "a"),
            None,
            1,
            "has 1 classes .* first label, background, may be one too",
        ),
        ((), None, 5, "has 5 classes but there are 0 labels"),
    ],
)
def test_a_count_that_does_not_fit_says_both_counts(
    names: tuple[str, ...], offset: int | None, classes: int, fault: str
) -> None:
    with pytest.raises(BadInputError, match=f"mine {fault}"):
        reading.fit(names, offset, classes, "mine")
