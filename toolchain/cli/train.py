"""The command that learns a user's own tags."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from toolchain.cli.model_options import (
    ChannelOrder,
    CropFraction,
    Fetching,
    InputName,
    InputSize,
    Mean,
    OutputName,
    Said,
    SignatureName,
    Std,
    ValueRange,
)
from toolchain.cli.options import Engine, bytes_of, one_of
from toolchain.cli.shared import grouped

if TYPE_CHECKING:
    from toolchain.records.card import Task

_TASKS: dict[str, Task] = {"single": "single-label", "multi": "multi-label"}


@grouped
def train(
    photos: Annotated[
        Path | None, typer.Argument(help="A folder with one folder of photos for each tag.")
    ] = None,
    taught: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="A file with taught tags and their photos, as a page exports it; instead of "
            "PHOTOS.",
        ),
    ] = None,
    out: Annotated[Path, typer.Option(help="The folder to write the model to.")] = Path(
        "photos.model"
    ),
    test: Annotated[
        Path | None,
        typer.Option(help="Photos to judge by, of another day, in folders of the same names."),
    ] = None,
    none: Annotated[
        Path | None,
        typer.Option(
            help="Photos that show none of the tags; by default the folder `none` of the photos."
        ),
    ] = None,
    base: Annotated[
        list[str] | None,
        typer.Option(
            help="A network to learn with, like --model of build; several are compared. By "
            "default the embedded one."
        ),
    ] = None,
    depth: Annotated[
        str, typer.Option(help="The block to cut the base at; auto chooses by the photos.")
    ] = "auto",
    max_drop: Annotated[
        float,
        typer.Option(min=0, help="Points of accuracy that fewer bytes may cost at most."),
    ] = 1.0,
    max_bytes: Annotated[
        str | None, typer.Option(help="Size that the built model may have, like 300kB.")
    ] = None,
    group_by: Annotated[
        str,
        typer.Option(
            help="What tells photos of one session, which are judged together: auto, exif (their "
            "times), prefix (first word of their names) or none."
        ),
    ] = "auto",
    fine_tune: Annotated[
        bool,
        typer.Option(
            "--fine-tune", help="Let the last blocks learn too, if that wins; takes minutes."
        ),
    ] = False,
    teacher: Annotated[
        str | None,
        typer.Option(
            help="A better network, like --base; the last blocks of the student learn what it says "
            "of the photos, if that wins; takes minutes."
        ),
    ] = None,
    student: Annotated[
        str | None, typer.Option(help="The network to learn from --teacher; instead of --base.")
    ] = None,
    prune: Annotated[
        bool,
        typer.Option("--prune", help="Leave out blocks and channels of the network, if that wins."),
    ] = False,
    task: Annotated[
        str, typer.Option(help="single: a photo has one tag; multi: any number of tags.")
    ] = "single",
    name: Annotated[str | None, typer.Option(help="The model's name, shown on the page.")] = None,
    seed: Annotated[int, typer.Option(help="Of the division into folds.")] = 0,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes that compute features.")
    ] = None,
    engine: Engine = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the record as JSON.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="Print warnings and errors only.")] = False,
    value_range: ValueRange = None,
    mean: Mean = None,
    std: Std = None,
    channels: ChannelOrder = None,
    crop_fraction: CropFraction = None,
    input_size: InputSize = None,
    signature: SignatureName = None,
    input: InputName = None,  # noqa: A002 - the option's name
    output: OutputName = None,
    *,
    fetching: Fetching,
) -> None:
    """Learn tags of your own from folders of photos; the result is a model for build."""
    from typing import get_args

    from toolchain.cli import training_tables
    from toolchain.cli.console import Terminal
    from toolchain.pipeline import train as pipeline
    from toolchain.training import groups
    from toolchain.training.features import Extraction
    from toolchain.training.options import TrainOptions

    said = Said(
        value_range=value_range,
        mean=mean,
        std=std,
        channels=channels,
        crop_fraction=crop_fraction,
        input_size=input_size,
        signature=signature,
        input=input,
        output=output,
    )
    options = TrainOptions(
        photos=_photos(photos, taught),
        bases=tuple(fetching.ask(each, said=said) for each in _bases(base, student, teacher)),
        declared=said.declared().model_copy(update={"name": name}),
        test=test,
        none=none,
        depth=_depth(depth),
        max_drop=max_drop,
        max_bytes=None if max_bytes is None else bytes_of("--max-bytes", max_bytes),
        group_by=one_of("--group-by", group_by, get_args(groups.GroupBy)),
        fine_tune=fine_tune,
        teacher=None if teacher is None else fetching.ask(teacher),
        prune=prune,
        task="single-label"
        if one_of("--task", task, ("single", "multi")) == "single"
        else "multi-label",
        seed=seed,
        extraction=Extraction(workers, engine),
    )
    record = pipeline.train(options, out, progress=Terminal(quiet=quiet))
    if as_json:
        typer.echo(record.to_json(), nl=False)
    elif not quiet:
        training_tables.show(record, out)


def _photos(photos: Path | None, taught: Path | None) -> Path:
    from toolchain.errors import BadInputError

    if (photos is None) == (taught is None):
        raise BadInputError(
            "PHOTOS and --from both say what to learn from; leave one of them out"
            if photos
            else "there are no photos to learn from; name their folder, or --from a page's file"
        )
    if taught is not None and not taught.is_file():
        raise BadInputError(
            f"there is no file {taught}; give --from the file that a page has exported"
        )
    return photos or taught or Path()


def _bases(base: list[str] | None, student: str | None, teacher: str | None) -> list[str]:
    from toolchain.errors import BadInputError

    if student is not None and base:
        raise BadInputError("--student and --base name the same network; leave one of them out")
    if student is not None and teacher is None:
        raise BadInputError(
            f"--student {student} has nobody to learn from; name one with --teacher"
        )
    return [student] if student is not None else base or ["embedded"]


def _depth(text: str) -> int | None:
    from toolchain.errors import BadInputError

    if text == "auto":
        return None
    if not text.isdecimal():
        raise BadInputError(f"--depth {text} is not a block; write its number, or auto")
    return int(text)
