"""Finds the network to judge and its reference: from the user's words to a network and its card."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from toolchain import tf as tensorflow
from toolchain.errors import BadInputError, ToolchainError
from toolchain.evaluation import ranges
from toolchain.evaluation.batches import Network
from toolchain.graph.settling import UnknownRangeError
from toolchain.records import build_report
from toolchain.records.card import Declared, PixelRange
from toolchain.records.site_files import VARIANTS
from toolchain.sources import operations, packaged, resolve
from toolchain.sources.request import Kind, parse
from toolchain.text import printable

if TYPE_CHECKING:
    from toolchain.cache.store import Store
    from toolchain.graph.classifier import Classifier
    from toolchain.photos.photo_folder import Photos
    from toolchain.progress import Progress
    from toolchain.records.card import Activation, ModelCard
    from toolchain.sources.request import Request
    from toolchain.sources.saved_model import Fetched


@dataclass(frozen=True)
class Subject:
    """A network to judge or to compare with, and what is known of it."""

    network: Network
    card: ModelCard
    form: str
    """`SavedModel`, or `site, float16`."""
    activation: Activation
    """What turns its outputs into scores."""
    is_binary: bool = False
    """Whether it has one output for two labels."""


class NoSourceError(ToolchainError):
    """The model that a site was built from is not available offline."""


def subject_of(
    request: Request,
    declared: Declared,
    *,
    variant: str | None = None,
    photos: Photos | None = None,
    store: Store,
    progress: Progress,
) -> Subject:
    """Take a built site as it is, or fetch a model.

    Args:
        request: What to judge.
        declared: What the user says of a model; a site needs no such declarations.
        variant: Which variant of a site; None for the one that its page begins with.
        photos: The photos to judge by. If they have classes and nothing says which pixel values
            a model takes, these are found by trying them on the photos.
        store: The cache.
        progress: Shows fetching.

    Raises:
        BadInputError: The user declares something of a site, or there is no such variant.
        ToolchainError: The model cannot be fetched or read.
    """
    if (site := request.site) is not None:
        if declared != Declared():
            raise BadInputError(
                f"{site} is a built site, which states its labels, sizes and ranges itself; "
                "leave out the options that declare them"
            )
        return _of_site(site, variant)
    if variant is not None:
        raise BadInputError(
            f"{request.model} is not a built site, so it has no variant {variant}; "
            "leave out --variant"
        )
    fetched = resolve.fetch(request, store=store, progress=progress)
    return _of_model(fetched, declared.over(fetched.declared), photos, progress)


def reference_for(
    subject: Subject, request: Request, *, store: Store, progress: Progress
) -> Subject:
    """Find the reference that the user names: a site or a model with the same labels.

    What the reference's source does not state is taken from the subject: everything if the
    reference is the model that the site was built from, only the labels otherwise.

    Raises:
        BadInputError: The reference has other labels.
        ToolchainError: The reference cannot be fetched or read.
    """
    if (site := request.site) is not None:
        reference = _of_site(site)
    else:
        fetched = resolve.fetch(request, store=store, progress=progress)
        if fetched.sha256 == subject.card.provenance.sha256:
            return _as_source(subject, fetched, progress)
        labels = Declared(labels=subject.card.labels)
        fetched = replace(fetched, range_guess=fetched.range_guess or _as_fed(subject.card))
        try:
            reference = _of_model(fetched, fetched.declared.over(labels), None, progress)
        except BadInputError:
            if not subject.card.label_offset:
                raise
            # It may have the subject's label offset too, without stating it.
            skipped = labels.model_copy(update={"label_offset": subject.card.label_offset})
            reference = _of_model(fetched, fetched.declared.over(skipped), None, progress)
    if reference.card.labels != subject.card.labels:
        raise BadInputError(
            f"{request.model} has other labels than the model to judge; "
            "give a --reference with the same labels"
        )
    return reference


def source_of(subject: Subject, request: Request, *, store: Store, progress: Progress) -> Subject:
    """Find the model that a site was built from, without using the network.

    Args:
        subject: The site.
        request: The request for the site; its lock file is used.
        store: The cache, which may hold the model.
        progress: Shows unpacking.

    Raises:
        NoSourceError: The model is not in the cache, not embedded, and not a file that still
            exists.
    """
    requested = build_report.read(Path(request.model)).requested
    provenance = subject.card.provenance
    for model in (provenance.source, requested):
        if not (handle := _at_hand(model, store)):
            continue
        wanted = replace(request, model=handle, patient=False)
        try:
            fetched = resolve.fetch(wanted, store=store, progress=progress)
        except ToolchainError as error:
            raise NoSourceError(str(error)) from error
        if fetched.sha256 == provenance.sha256:
            return _as_source(subject, fetched, progress)
    raise NoSourceError(
        f"the site's source {provenance.source} is not available offline; name it with --reference"
    )


def _at_hand(model: str, store: Store) -> str | None:
    """Return the handle of a model that can be had offline; None if it cannot."""
    if name := packaged.named_by(model):
        return name if packaged.is_installed(name) else None
    try:
        handle = parse(model)
    except BadInputError:
        return None
    if handle.kind in (Kind.TFHUB, Kind.KAGGLE, Kind.TFJS, Kind.HF, Kind.KERAS):
        kept = resolve.is_kept(handle, store)
    else:
        kept = handle.kind is Kind.EMBEDDED or Path(model).exists()
    return model if kept else None


def _of_site(site: Path, variant: str | None = None) -> Subject:
    report = build_report.read(site)
    card = report.card
    name, folder, artifacts = report.quantization, "model", report.artifacts
    if variant not in (None, name):
        others = {other.name: other for other in report.variants}
        if variant not in others:
            raise BadInputError(
                f"{site} has no variant {variant}; it has {', '.join((name, *others))}"
            )
        name, folder, artifacts = variant, f"{VARIANTS}/{variant}", others[variant].artifacts
    network = Network(
        folder=(site / folder).resolve(),
        model_json=artifacts.model_json,
        sha256=card.provenance.sha256,
        input=card.input,
        name=printable(str(site)),
        rule=card.none_of_these,
    )
    return Subject(network, card, f"site, {name}", artifacts.activation)


def _of_model(
    fetched: Fetched, declared: Declared, photos: Photos | None, progress: Progress
) -> Subject:
    fetched = replace(fetched, declared=declared)
    progress.say(f"Reading the graph of {declared.name or fetched.source}")
    try:
        read = _read(fetched, progress)
    except UnknownRangeError:
        if photos is None or photos.classes is None:
            raise
        with tensorflow.quiet():
            trial = ranges.find(fetched, photos, progress=progress)
        read = _read(replace(fetched, range_found=trial.best), progress)
    for sentence in read.assumptions:
        progress.warn(sentence)
    subject = _subject(fetched, read.card, read)
    return replace(subject, network=replace(subject.network, rule=read.card.none_of_these))


def _as_source(subject: Subject, fetched: Fetched, progress: Progress) -> Subject:
    """Return the model that the subject was made from, with the subject's input."""
    card = subject.card
    declared = Declared(
        name=card.provenance.name,
        labels=card.labels,
        label_offset=card.label_offset,
        task=card.task,
        signature=fetched.declared.signature,
        input=fetched.declared.input,
        output=fetched.declared.output,
        **card.input.model_dump(),
    )
    read = _read(replace(fetched, declared=declared), progress)
    return _subject(fetched, card, read)


def _as_fed(card: ModelCard) -> PixelRange:
    """Return a model's pixel values, as a guess for another model with the same labels."""
    spec = card.input
    return PixelRange(
        value_range=spec.value_range,
        source="guessed",
        reason="the model that it is compared with is fed so",
        mean=spec.mean,
        std=spec.std,
        channels=spec.channels,
    )


def _read(fetched: Fetched, progress: Progress) -> Classifier:
    from toolchain.graph import classifier

    operations.check(fetched, progress)
    with tensorflow.quiet():
        return classifier.read(fetched)


def _subject(fetched: Fetched, card: ModelCard, read: Classifier) -> Subject:
    ending = read.ending
    network = Network(
        folder=fetched.path.resolve(),
        model_json=None,
        sha256=fetched.sha256,
        input=card.input,
        name=fetched.source,
        signature=read.signature,
    )
    return Subject(network, card, "SavedModel", ending.source, ending.is_binary)
