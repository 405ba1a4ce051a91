"""The result of a smoke test: the record that the report keeps."""

from __future__ import annotations

from typing import Literal

from toolchain.records.record import Record


class SmokeTest(Record):
    """One model of a site, run once as the page runs it."""

    name: str
    """How its weights are stored, as in `auto`; or `preview`."""
    by: Literal["node", "python"]
    """`node`: the site's own worker and WebAssembly ran. `python`: the same graph and weights ran
    in TensorFlow, limited to operations that WebAssembly can run; the page's code did not run."""
    pictures: int
    """Number of generated pictures, which the source model was run on too."""
    photos: int = 0
    """Number of calibration photos that both the page's code and TensorFlow ran on."""
    page_difference: float | None
    """The largest difference between scores of the page's code and scores of the site's files in
    TensorFlow; None if the page's code did not run."""
    cosine_difference: float | None = None
    """The same of the cosines that decide on "none of these"; None for a model without that rule,
    or if the page's code did not run."""
    source_difference: float
    """The largest difference between scores of the site's files and scores of the source model:
    what storing and quantising the weights has changed on these pictures."""
    same_first: int
    """Number of pictures to which the site and the source model give the same first label."""
