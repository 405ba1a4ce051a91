"""Finds the page's own parts: the built runtimes, the templates, the sample photos.

They are inside an installed package, and beside the package in a checkout.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from toolchain import toml
from toolchain.errors import BadInputError, MissingToolError
from toolchain.images import pictures
from toolchain.records.card import first_fault

if TYPE_CHECKING:
    from collections.abc import Iterable

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parents[1]


class WasmFiles(BaseModel):
    """The WebAssembly binaries of TF.js, with and without vector instructions."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    simd: str
    plain: str


class Runtime(BaseModel):
    """The page's code and TF.js with a set of operations; paths are relative to the site."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    ops: frozenset[str]
    """The TensorFlow operations that it can run."""
    entry: str
    imports: tuple[str, ...]
    """Scripts that the entry imports."""
    worker: tuple[str, ...]
    """The worker's script, and the scripts that it imports."""
    styles: tuple[str, ...]
    wasm: WasmFiles
    features: tuple[str, ...]
    """Scripts of features that load only when a visitor uses them."""
    teaching: tuple[str, ...]
    """Those of the features that only pages have where visitors teach their own tags."""
    files: tuple[str, ...]

    def without_teaching(self) -> Runtime:
        """Return it without what only pages have where visitors teach their own tags."""

        def left(files: tuple[str, ...]) -> tuple[str, ...]:
            return tuple(file for file in files if file not in self.teaching)

        return self.model_copy(
            update={"features": left(self.features), "files": left(self.files), "teaching": ()}
        )


class _Manifest(BaseModel):
    """The web build's list of runtimes, `runtime.json`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal[4]
    runtimes: tuple[Runtime, ...]
    """From the smallest up."""


class Package(BaseModel):
    """A third party's code in a runtime, and its licence."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    version: str | None = None
    """None for code that is compiled into another package's binary."""
    licence: str
    """An SPDX expression."""
    integrity: str | None = None
    """From package-lock.json: `sha512-` and the digest of the package's archive in base 64."""
    within: str | None = None
    """The package that it is compiled into."""
    text: str


class Shipped(BaseModel):
    """The packages in a runtime, `packages-NAME.json`, or in the component."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_: Literal[1]
    own: str
    """The text of this project's licence."""
    packages: tuple[Package, ...]


class Sample(BaseModel):
    """One sample photo, with the credit that its licence asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    alt: str
    credit: str
    licence: str
    licence_url: str


class _Samples(BaseModel):
    """The file `samples.toml`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sample: tuple[Sample, ...] = ()


def templates_dir() -> Path:
    """Return the folder of the page's templates."""
    packaged = _PACKAGE / "templates"
    return packaged if packaged.is_dir() else _CHECKOUT / "templates"


def runtime_dir() -> Path:
    """Return the folder of the built runtimes.

    Raises:
        MissingToolError: They have not been built.
    """
    packaged = _PACKAGE / "runtime"
    folder = packaged if packaged.is_dir() else _CHECKOUT / "web" / "dist"
    if not (folder / "runtime.json").is_file():
        raise MissingToolError(
            "the page's runtime is not built; run `make web` (it needs Node 20 or newer)"
        )
    return folder


def worker_host() -> Path:
    """Return the program with which Node runs a site's worker (`web/src/node/worker-host.ts`).

    Raises:
        MissingToolError: It is not built.
    """
    path = runtime_dir() / "worker-host.mjs"
    if not path.is_file():
        raise MissingToolError("the page's runtime is of another version; run `make web` again")
    return path


def load_runtimes() -> tuple[Runtime, ...]:
    """Read the list of runtimes, the smallest first.

    Raises:
        MissingToolError: They are not built, or by another version of this tool.
    """
    content: dict[str, Any] = json.loads((runtime_dir() / "runtime.json").read_text("utf-8"))
    content["schema_"] = content.pop("schema", 0)
    try:
        return _Manifest(**content).runtimes
    except ValidationError as error:
        raise MissingToolError(
            f"the page's runtime is of another version ({first_fault(error)}); run `make web` again"
        ) from error


def shipped_in(runtime: Runtime) -> Shipped:
    """Read which packages are in a runtime, and in the component, which every site has.

    Raises:
        MissingToolError: It was built by another version of this tool.
    """
    try:
        both = [_shipped(part) for part in (runtime.name, "tagger")]
        packages = {each.name: each for shipped in both for each in shipped.packages}
        ordered = (packages[name] for name in sorted(packages))
        return both[0].model_copy(update={"packages": tuple(ordered)})
    except (OSError, ValueError) as error:
        raise MissingToolError(
            "the page's runtime is of another version; run `make web` again"
        ) from error


def _shipped(part: str) -> Shipped:
    path = runtime_dir() / f"packages-{part}.json"
    content: dict[str, Any] = json.loads(path.read_text("utf-8"))
    content["schema_"] = content.pop("schema", 0)
    return Shipped(**content)


def runtime_for(ops: Iterable[str], *, teaching: bool = False) -> Runtime:
    """Return the smallest runtime that has all these operations.

    Args:
        ops: TensorFlow operations.
        teaching: Whether visitors may teach their own tags.

    Raises:
        BadInputError: No runtime has all of them.
        MissingToolError: They are not built, or by another version of this tool.
    """
    wanted = frozenset(ops)
    runtimes = load_runtimes()
    for runtime in runtimes:
        if wanted <= runtime.ops:
            return runtime if teaching else runtime.without_teaching()
    lacking = ", ".join(sorted(wanted - runtimes[-1].ops))
    raise BadInputError(
        f"the page cannot run {lacking}, which TF.js does not have; "
        "build a model without such operations"
    )


def load_samples(folder: Path) -> tuple[Sample, ...]:
    """Read `samples.toml` of a folder of sample photos.

    Raises:
        BadInputError: It cannot be read, or names a file that is missing or not a photo.
    """
    path = folder / "samples.toml"
    if not path.is_file():
        raise BadInputError(
            f"the samples {folder} have no samples.toml; write one with a [[sample]] for each "
            f"photo, of {', '.join(Sample.model_fields)}"
        )
    try:
        samples = _Samples(**toml.read(path)).sample
    except ValidationError as error:
        raise BadInputError(f"{path}: {first_fault(error)}") from error
    for sample in samples:
        if not (folder / sample.file).is_file():
            raise BadInputError(f"{path} names {sample.file}, which is not beside it")
        size_of(folder / sample.file)
    return samples


def size_of(photo: Path) -> tuple[int, int]:
    """Return the width and height of a photo as browsers show it, in pixels.

    Raises:
        BadInputError: It is not a photo.
    """
    try:
        return pictures.read(photo).size
    except BadInputError as error:
        raise BadInputError(
            f"the sample {photo} cannot be read as a picture; give a JPEG, PNG or WebP"
        ) from error
