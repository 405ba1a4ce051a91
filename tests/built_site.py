"""A site that is built once, and checks that a site is complete."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests import tiny_models
from toolchain.pipeline.build import build
from toolchain.pipeline.build_options import BuildOptions
from toolchain.progress import Silent
from toolchain.records import build_report
from toolchain.records.card import Declared
from toolchain.sources.request import Request
from toolchain.tfjs import execute
from toolchain.tfjs.convert import Stored

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from toolchain.cache.store import Store

OF_BUILD = {"report.json", "report.html"}
REPORT = OF_BUILD | {"report.networks.json"}
# Files that no visit loads.
FOR_HOSTS = {"_headers", "build-info.json", "licenses.txt", "sbom.cdx.json"}


@dataclass(frozen=True)
class Site:
    """A site that was built once; tests work on copies."""

    options: BuildOptions
    labels: Path
    report: build_report.Report

    @property
    def words(self) -> tuple[str | Path, ...]:
        """Return the command that builds the same site."""
        model = self.options.request.model
        return ("build", "-m", model, "--labels", self.labels, "--value-range", "0,1")

    def copy(self, out: Path) -> Path:
        return shutil.copytree(self.options.out, out, copy_function=shutil.copy2)


def built_site(model: Path, folder: Path, store: Store) -> Site:
    """Build a site of the tiny model."""
    labels = folder / "labels.txt"
    labels.write_text("\n".join(tiny_models.names()), "utf-8")
    options = BuildOptions(
        request=Request(model=str(model), lockfile=folder / "toolchain.lock.json"),
        out=folder / "site",
        declared=Declared(labels=tiny_models.names(), value_range=(0.0, 1.0)),
    )
    return Site(options, labels, build(options, store=store, progress=Silent()))


def network_of(model: Path, folder: Path, store: Store) -> Callable[[Any], Any]:
    """Build a site of a file with five labels, float32, and return what runs its network."""
    options = BuildOptions(
        request=Request(model=str(model), lockfile=folder / "toolchain.lock.json"),
        out=folder / "site",
        declared=Declared(labels=tiny_models.names(5), value_range=(-1.0, 1.0)),
        weights=Stored("none"),
    )
    report = build(options, store=store, progress=Silent())
    return execute.load(options.out / "model", report.artifacts.model_json)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def originals(folder: Path) -> dict[str, bytes]:
    """Return the files that are not the compressed form of another."""
    files = contents(folder)
    return {name: data for name, data in files.items() if not name.endswith((".br", ".gz"))}


def beside(out: Path) -> list[str]:
    """Return what builds left behind beside the site."""
    return [path.name for path in out.parent.glob(f".{out.name}.*")]


def assert_whole(out: Path) -> build_report.Report:
    """Check that the report lists exactly the files that are there."""
    report = build_report.read(out)
    found = {name: len(content) for name, content in originals(out).items()}
    assert all(found.pop(name) > 0 for name in REPORT | FOR_HOSTS)
    assert {file.path: file.raw for file in report.files} == found
    return report


def replace_labels(declared: Declared, labels: tuple[str, ...]) -> Declared:
    return Declared(labels=labels).over(declared)
