"""Where the page's own parts lie: the built runtime, the templates, the sample photos.

An installed package carries them inside; a checkout has them beside the package.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from toolchain import toml
from toolchain.card import first_fault
from toolchain.errors import BadInputError, MissingToolError

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]


class WasmFiles(BaseModel):
    """The WebAssembly binaries of TF.js, by what the browser can run."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    simd: str
    plain: str


class Runtime(BaseModel):
    """What the web build says it made, `runtime.json`; all paths relative to the site."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)

    schema_: int
    entry: str
    worker: str
    styles: tuple[str, ...]
    wasm: WasmFiles
    preload: tuple[str, ...]
    files: tuple[str, ...]


class Sample(BaseModel):
    """One sample photo with what its licence asks to be said."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    alt: str
    credit: str
    licence: str
    licence_url: str


def templates_dir() -> Path:
    """Return the folder of the page's templates."""
    packaged = _PACKAGE / "templates"
    return packaged if packaged.is_dir() else _CHECKOUT / "templates"


def runtime_dir() -> Path:
    """Return the folder of the built page runtime.

    Raises:
        MissingToolError: It has not been built.
    """
    packaged = _PACKAGE / "runtime"
    folder = packaged if packaged.is_dir() else _CHECKOUT / "web" / "dist"
    if not (folder / "runtime.json").is_file():
        raise MissingToolError(
            "the page's runtime is not built; run `make web` (it needs Node 20 or newer)"
        )
    return folder


def load_runtime() -> Runtime:
    """Read what the runtime consists of.

    Raises:
        MissingToolError: It is not built, or by another version of this tool.
    """
    content: dict[str, Any] = json.loads((runtime_dir() / "runtime.json").read_text("utf-8"))
    content["schema_"] = content.pop("schema", 0)
    try:
        return Runtime(**content)
    except ValidationError as error:
        raise MissingToolError(
            f"the page's runtime is of another version ({first_fault(error)}); run `make web` again"
        ) from error


def load_samples(folder: Path) -> tuple[Sample, ...]:
    """Read `samples.toml` of a folder of sample photos.

    Raises:
        BadInputError: It cannot be read, or names a file that is not there.
    """
    path = folder / "samples.toml"
    try:
        samples = tuple(Sample(**sample) for sample in toml.read(path).get("sample", ()))
    except ValidationError as error:
        raise BadInputError(f"{path}: {first_fault(error)}") from error
    for sample in samples:
        if not (folder / sample.file).is_file():
            raise BadInputError(f"{path} names {sample.file}, which is not beside it")
    return samples
