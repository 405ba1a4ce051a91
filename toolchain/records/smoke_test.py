"""What running a finished site has shown: the record that the report keeps."""

from __future__ import annotations

from typing import Literal

from toolchain.records.record import Record


class SmokeTest(Record):
    """One model of a site, run once as the page runs it."""

    name: str
    """Of its weights, as `auto`, or `preview`."""
    by: Literal["node", "python"]
    """Node: the site's own worker and WebAssembly. Python: the same graph and weights in
    TensorFlow, held to what WebAssembly can run; the page's code is not covered."""
    pictures: int
    """Generated ones, which the source model has seen too."""
    photos: int = 0
    """Of those given to compress by, shown to the page and to its files in TensorFlow."""
    page_difference: float | None
    """The largest difference between a score of the page and the same of the site's files in
    TensorFlow; None where the page's code was not run."""
    source_difference: float
    """The largest difference between a score of the site's files and the source model's: what
    storing and compressing the weights has cost on these pictures."""
    same_first: int
    """Of how many pictures the first label is the source model's."""
