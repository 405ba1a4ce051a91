"""Runs the files of a rendered site and compares the scores with those of the source model.

There are two ways. With Node, the site's own worker runs: its WebAssembly, the contract, the
unpacking of the weights, the scaling of pixels and the ranking, which is everything between a
photo's pixels and its tags. Without Node, the same graph and weights run in TensorFlow. That way
does not cover the page's code; rendering has checked that TF.js has the graph's operations.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from toolchain import digest
from toolchain import tf as tensorflow
from toolchain.cache import fingerprint
from toolchain.errors import BadInputError, ToolchainError
from toolchain.evaluation import none_verdict
from toolchain.evaluation.none_verdict import Seen
from toolchain.graph import preprocess, reference
from toolchain.metrics.scores import scores_of
from toolchain.records.card import InputSpec
from toolchain.records.smoke_test import SmokeTest
from toolchain.smoke_test import node as nodes
from toolchain.smoke_test import worker

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from toolchain.cache.store import Store
    from toolchain.progress import Progress
    from toolchain.records.card import ModelCard
    from toolchain.site.page_files import PageFiles
    from toolchain.smoke_test.worker import Answer, Tag
    from toolchain.tfjs.stage import TfjsModel

    Array = np.ndarray[Any, Any]

_STORED_AS_FLOATS = frozenset({"none", "float16"})


@dataclass(frozen=True)
class Subject:
    """One model of a site."""

    name: str
    """Name of its weights, or `preview`."""
    model: TfjsModel
    page: PageFiles
    photos: tuple[Path, ...] = ()
    """Real photos to run besides the generated pictures."""


def run(
    site: Path, subjects: Sequence[Subject], *, host: Path, store: Store, progress: Progress
) -> tuple[tuple[SmokeTest, ...], bool]:
    """Run every model of a rendered site as its page would.

    Args:
        site: The site's folder.
        subjects: Its models.
        host: The Node program that stands in for the page (`smoke_test/worker.py`).
        store: The cache of earlier results for the same files.
        progress: Is told of each model, and warned if there is no Node.

    Returns:
        The result of each model, and whether all of them came from the cache.

    Raises:
        ToolchainError: A model fails, or its tags differ from those of its files or its source.
    """
    found = [_of(site, subject, host=host, store=store, progress=progress) for subject in subjects]
    return tuple(each for each, _ in found), all(reused for _, reused in found)


def _of(
    site: Path, subject: Subject, *, host: Path, store: Store, progress: Progress
) -> tuple[SmokeTest, bool]:
    node = nodes.find()
    page = subject.page
    key = digest.of_json(
        {
            "code": fingerprint.of(__name__),
            "name": subject.name,
            "model": subject.model.key,
            "node": None if node is None else digest.of_file(host),
            # Their names contain a digest of their content.
            "files": [page.worker, page.wasm, page.contract, *page.weights],
            "photos": [digest.of_file(photo) for photo in subject.photos],
        }
    )

    def make() -> SmokeTest:
        progress.say(f"Running the site as a page does ({subject.name})")
        found = _test(site, subject, node, host)
        fingerprint.require_unchanged(__name__)
        return found

    found, reused = store.record(
        "smoke-tested",
        key,
        SmokeTest,
        make=make,
        doing=f"running the site of {subject.model.converted.card.provenance.name}",
        progress=progress,
    )
    if found.by == "python":
        progress.warn(
            "the page's own code was not run, because there is no Node here: its graph and weights "
            "were run in TensorFlow instead; install Node 18 or newer to run both"
        )
    return found, reused


def _test(site: Path, subject: Subject, node: Path | None, host: Path) -> SmokeTest:
    from toolchain.tfjs import execute

    model = subject.model
    converted = model.converted
    card, artifacts = converted.card, converted.artifacts
    if model.reference is None:
        raise ToolchainError(f"{card.provenance.source} was converted without a reference")
    asked = reference.load(model.reference)
    photos = _pixels(subject.photos, card)
    pictures = np.concatenate([asked.pictures, *photos])
    images = preprocess.values(pictures.astype(np.float32), card.input)
    with tensorflow.quiet():
        outputs, cosines = execute.in_turn(
            model.folder, artifacts.model_json, images, card.none_of_these
        )
    of_all = scores_of(outputs, artifacts.activation)
    scores = of_all[: len(asked.pictures)]
    if converted.quantization in _STORED_AS_FLOATS:
        reference.compare(
            asked,
            outputs[: len(asked.pictures)],
            artifacts.activation,
            None if cosines is None else cosines[: len(asked.pictures)],
            within=reference.HALF,
            name=card.provenance.source,
            after="the site",
        )
    difference = apart = None
    if node is not None:
        try:
            found = worker.answers(node, host, site, subject.page, pictures)
        except ToolchainError as error:
            raise ToolchainError(
                f"the site built from {card.provenance.source} cannot run in a browser ({error}); "
                "build it with --quantize float16, or export the model in another way"
            ) from error
        difference = max(
            _difference(answer.tags, row[card.label_offset :])
            for answer, row in zip(found, of_all, strict=True)
        )
        if not difference <= reference.EXACT:
            raise ToolchainError(
                f"the page of the site built from {card.provenance.source} computes other scores "
                f"than its files ({difference:.2g} apart, {reference.EXACT:g} is allowed); "
                "please report it"
            )
        if cosines is not None:
            apart = _compared_by_rule(card, found, cosines.max(axis=1))
    labelled, wanted = scores[:, card.label_offset :], asked.scores[:, card.label_offset :]
    return SmokeTest(
        name=subject.name,
        by="python" if node is None else "node",
        pictures=len(asked.pictures),
        photos=len(photos),
        page_difference=difference,
        cosine_difference=apart,
        source_difference=float(abs(labelled - wanted).max()),
        same_first=int((labelled.argmax(axis=1) == wanted.argmax(axis=1)).sum()),
    )


def _compared_by_rule(card: ModelCard, found: Sequence[Answer], cosines: Array) -> float:
    """Return the largest difference of the page's cosines from those of the site's files.

    Args:
        card: The model's card; it has the rule "none of these".
        found: The page's answers.
        cosines: The greatest cosine of each picture, float64 `[n]`.

    Raises:
        ToolchainError: The page computes other cosines, or does not decide by its own.
    """
    # Without a cosine the difference is infinite.
    ours = np.array([np.inf if each.cosine is None else each.cosine for each in found])
    scores = np.array([[each.tags[0].score] for each in found])
    wanted = none_verdict.is_none(card, Seen(ours, scores))
    apart = float(np.abs(ours - cosines).max())
    if not apart <= reference.EXACT or wanted.tolist() != [each.is_none for each in found]:
        raise ToolchainError(
            f"the page of the site built from {card.provenance.source} finds other photos that "
            f"show none of the labels than its files (cosines {apart:.2g} apart, "
            f"{reference.EXACT:g} is allowed); please report it"
        )
    return apart


def _pixels(photos: Sequence[Path], card: ModelCard) -> list[Array]:
    """Return the crops of photos at the network's size, each uint8 `[1, height, width, 3]`.

    Files that cannot be read as photos are left out.
    """
    plain = InputSpec(
        height=card.input.height,
        width=card.input.width,
        value_range=(0.0, 255.0),
        crop_fraction=card.input.crop_fraction,
    )
    found = []
    for photo in photos:
        with suppress(BadInputError):
            found.append(np.rint(preprocess.load(photo, plain)).astype(np.uint8)[None])
    return found


def _difference(tags: Sequence[Tag], scores: Sequence[float]) -> float:
    """Return the largest difference of tags from scores, including better labels left out."""
    apart = [abs(tag.score - scores[tag.place]) for tag in tags]
    best = sorted(scores, reverse=True)[: len(tags)]
    order = [abs(tag.score - score) for tag, score in zip(tags, best, strict=True)]
    return max((*apart, *order), default=float("inf"))
