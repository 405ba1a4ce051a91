"""Fingerprints: what a kept result was made by, so that a mended fault serves nothing old."""

from __future__ import annotations

import ast
import importlib.metadata
import json
import os
import pkgutil
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import toolchain
from tests import command_line, tiny_models
from toolchain.cache import fingerprint

PACKAGE = Path(toolchain.__file__).parent
MODULES = {"toolchain", *(m.name for m in pkgutil.walk_packages([str(PACKAGE)], "toolchain."))}
NOT_COVERED = {
    "filelock": "only keeps processes apart",
    "platformdirs": "only says where the cache is",
    "pydantic": "only writes and checks records; what it does not accept is made anew",
    "distributed": "only carries work to other machines, and results back",
    "tomli": "reads what the key holds as it was read",
    "urllib3": "only fetches; what came is known by its digest",
}


def path_of(module: str) -> Path:
    path = PACKAGE.parent.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(path_of(module).read_text("utf-8"))


def calls(module: str) -> set[str]:
    """Return what a module calls, as `store.result` or `open`."""
    return {
        ast.unparse(node.func) for node in ast.walk(tree_of(module)) if isinstance(node, ast.Call)
    }


def imports(module: str) -> set[str]:
    """Return every dotted name that a module imports, wherever and under whatever condition."""
    found = set()
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: a fingerprint does not follow relative imports"
            found.add(str(node.module))
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def reached_from(module: str) -> set[str]:
    """Return all modules of the tool that run when a module's code does."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name in MODULES and name not in found:
            found.add(name)
            waiting += [*imports(name), name.rpartition(".")[0]]
    return found


KEEPING = ("store.result", "store.record", "store.put")
"""The calls that put a result into the cache."""
STAGES = sorted(
    name
    for name in MODULES
    # Only what may call it is parsed where tests are only collected.
    if "fingerprint.of" in path_of(name).read_text("utf-8") and "fingerprint.of" in calls(name)
)


def test_whatever_keeps_results_keeps_them_by_the_fingerprint_of_its_code() -> None:
    keeping = {
        name
        for name in MODULES - {"toolchain.cache.store"}
        if any(call.endswith(KEEPING) for call in calls(name))
    }
    # What a host sent is no result of any code; `download` says more.
    assert keeping - {"toolchain.sources.download"} <= set(STAGES)
    assert len(keeping) > 5
    for name in keeping & set(STAGES):
        assert "fingerprint.require_unchanged" in calls(name)


@pytest.mark.parametrize("stage", STAGES)
def test_a_fingerprint_covers_every_module_that_its_stage_imports(stage: str) -> None:
    needed = reached_from(stage)
    assert len(needed) > 5
    assert needed - set(fingerprint.modules(stage)) == set()


@pytest.mark.parametrize("stage", STAGES)
def test_a_fingerprint_covers_the_version_of_every_library_that_its_stage_imports(
    stage: str,
) -> None:
    foreign = {name.partition(".")[0] for each in reached_from(stage) for name in imports(each)}
    foreign -= {*sys.stdlib_module_names, "toolchain", *NOT_COVERED}
    assert foreign - fingerprint.DISTRIBUTIONS.keys() == set()
    versions = fingerprint.versions(stage)
    for name in foreign:
        installed = [each for each in fingerprint.DISTRIBUTIONS[name] if each in versions]
        for package in installed:
            assert versions[package] == importlib.metadata.version(package)


@pytest.mark.parametrize(
    ("stage", "packages"),
    [
        ("toolchain.tfjs.stage", {"tensorflow", "tensorflowjs", "keras", "tf-keras", "numpy"}),
        ("toolchain.quantize.stage", {"tensorflow", "numpy", "scipy", "pillow", "brotli"}),
        ("toolchain.quantize.points", {"tensorflow", "numpy", "pillow", "brotli"}),
        ("toolchain.sources.local", {"tensorflow", "keras", "tf-keras", "h5py", "numpy"}),
        ("toolchain.sources.packaged", {"tensorflow", "keras", "numpy"}),
        ("toolchain.site.precompress", {"brotli", "zlib"}),
    ],
)
def test_these_versions_are_in_it(stage: str, packages: set[str]) -> None:
    assert stage in STAGES
    assert packages - fingerprint.versions(stage).keys() == set()


def test_compressing_files_does_not_depend_on_tensorflow() -> None:
    assert "tensorflow" not in fingerprint.versions("toolchain.site.precompress")


IMPORT_BY_NAME = {
    "toolchain": "the public names, of which no stage uses one",
    "toolchain.formats.keras_code": "only modules of Keras, whose version counts",
    "toolchain.sources.protobuf": "only modules of protobuf, whose version counts",
}


def test_no_module_of_the_tool_is_imported_by_a_name_that_its_source_does_not_show() -> None:
    hidden = {"importlib.import_module", "import_module", "__import__", "runpy.run_module"}
    assert {name for name in MODULES if calls(name) & hidden} == set(IMPORT_BY_NAME)


def test_every_data_file_lies_beside_the_modules_of_a_package() -> None:
    for path in PACKAGE.rglob("*"):
        if path.is_file() and path.suffix != ".pyc":
            assert (path.parent / "__init__.py").is_file(), path


def test_a_name_without_a_source_has_none() -> None:
    with pytest.raises(ModuleNotFoundError, match=r"toolchain\.tfjs\.nowhere"):
        fingerprint.of("toolchain.tfjs.nowhere")


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with a copy of the tool that may be edited."""
    folder = tmp_path / "copy"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PACKAGE, folder / "toolchain", ignore=ignored)
    for name in "templates", "web":
        (folder / name).symlink_to(PACKAGE.parent / name)
    return folder


def run_in(copy: Path, script: str, *before: Path) -> Any:
    """Run a script with the copied tool, and packages found before all others; read its JSON."""
    paths = [str(path) for path in (copy, *before)]
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


ALL = f"""
import json, sys
from toolchain.cache import fingerprint
found = {{stage: fingerprint.of(stage) for stage in {STAGES}}}
assert not {{"tensorflow", "numpy", "keras", "PIL", "pydantic"}} & sys.modules.keys()
print(json.dumps(found))
"""


def changed(before: dict[str, str], after: dict[str, str]) -> set[str]:
    assert before.keys() == after.keys()
    return {stage.removeprefix("toolchain.") for stage in before if before[stage] != after[stage]}


CONVERTING = {"tfjs.stage", "quantize.stage", "quantize.points"}


@pytest.mark.parametrize(
    ("file", "stages", "others"),
    [
        ("tfjs/convert.py", CONVERTING, {"sources.local", "site.precompress"}),
        ("tfjs/transfer.py", {"site.precompress", "quantize.points"}, {"sources.local"}),
        ("graph/__init__.py", CONVERTING, {"site.precompress"}),
        ("formats/keras_file.py", {"sources.local"}, {"site.precompress", "sources.packaged"}),
        ("quantize/rounding.py", {"quantize.stage", "quantize.planning"}, {"tfjs.stage"}),
        ("labels/imagenet_labels.txt", {*CONVERTING, "sources.packaged"}, set()),
        ("__init__.py", {stage.removeprefix("toolchain.") for stage in STAGES}, set()),
        ("site/server.py", set(), {stage.removeprefix("toolchain.") for stage in STAGES}),
    ],
)
def test_an_edited_file_changes_the_fingerprints_of_the_stages_that_it_is_part_of(
    copy: Path, file: str, stages: set[str], others: set[str]
) -> None:
    before = run_in(copy, ALL)
    with (copy / "toolchain" / file).open("a", encoding="utf-8") as edited:
        edited.write("\n# Mended.\n")
    found = changed(before, run_in(copy, ALL))
    assert stages <= found
    assert not others & found


def test_a_new_module_counts_as_soon_as_something_imports_it(copy: Path) -> None:
    new = copy / "toolchain" / "graph" / "new.py"
    new.write_text("NEW = 1\n", "utf-8")
    before = run_in(copy, ALL)
    with (copy / "toolchain" / "tfjs" / "convert.py").open("a", encoding="utf-8") as edited:
        edited.write("\n\ndef _new():\n    from toolchain.graph.new import NEW\n")
    imported = run_in(copy, ALL)
    assert changed(before, imported) >= CONVERTING
    new.write_text("NEW = 2\n", "utf-8")
    assert changed(imported, run_in(copy, ALL)) >= CONVERTING


@pytest.mark.parametrize(
    ("package", "stages", "others"),
    [
        ("tensorflow", {*CONVERTING, "sources.local", "sources.packaged"}, {"site.precompress"}),
        ("tensorflowjs", CONVERTING, {"site.precompress", "sources.local"}),
        ("keras", CONVERTING, {"site.precompress"}),
        ("tf_keras", CONVERTING, {"site.precompress"}),
        ("numpy", CONVERTING, set()),
        ("pillow", {"quantize.stage", "quantize.points"}, {"site.precompress"}),
        ("brotli", {"site.precompress", "quantize.points"}, {"tfjs.stage", "sources.local"}),
        ("waitress", set(), {stage.removeprefix("toolchain.") for stage in STAGES}),
    ],
)
def test_another_version_of_a_library_changes_the_fingerprints_of_the_stages_that_use_it(
    copy: Path, tmp_path: Path, package: str, stages: set[str], others: set[str]
) -> None:
    told = tmp_path / "packages" / f"{package}-99.0.dist-info" / "METADATA"
    told.parent.mkdir(parents=True)
    told.write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 99.0\n", "utf-8")
    found = changed(run_in(copy, ALL), run_in(copy, ALL, tmp_path / "packages"))
    assert stages <= found
    assert not others & found


@pytest.mark.parametrize("change", ["edited", "removed", "a library", "nothing"])
def test_what_was_made_while_the_tool_was_changed_is_not_kept(
    copy: Path, tmp_path: Path, change: str
) -> None:
    told = tmp_path / "packages" / "numpy-99.0.dist-info"
    script = f"""
import json
from pathlib import Path
from toolchain.cache import fingerprint
from toolchain.errors import ToolchainError
source, told = Path({str(copy / "toolchain" / "tfjs" / "convert.py")!r}), Path({str(told)!r})
fingerprint.of("toolchain.tfjs.stage")
if {change!r} == "edited":
    source.write_text(source.read_text() + "# Mended.", "utf-8")
elif {change!r} == "removed":
    source.unlink()
elif {change!r} == "a library":
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\\nName: numpy\\nVersion: 99.0\\n")
said = ""
try:
    fingerprint.require_unchanged("toolchain.tfjs.stage")
except ToolchainError as error:
    said = str(error)
print(json.dumps(said))
"""
    told.parent.mkdir()
    said = run_in(copy, script, told.parent)
    assert ("run the same again" in said) is (change != "nothing")


def test_a_build_with_a_mended_tool_takes_nothing_that_the_faulty_one_made(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(copy))
    library = tiny_models.libraries()["keras"]
    tiny_models.save_keras(tiny_models.keras_model(library), tmp_path / "model.keras")
    (tmp_path / "labels.txt").write_text("\n".join(tiny_models.names()), "utf-8")
    words = ("build", "-m", "model.keras", "--labels", "labels.txt", "--value-range", "0,1")

    def reused() -> bool:
        done = command_line.run(*words, "-q", "float16", "--json", cache=tmp_path / "cache")
        assert done.returncode == 0, done.stderr
        stages = {stage["name"]: stage for stage in json.loads(done.stdout)["stages"]}
        return bool(stages["convert"]["reused"])

    assert not reused()
    # The page's code has no part in a conversion; the code that reads Keras files has, though
    # the file is the same.
    for file, expected in (("site/accent.py", True), ("formats/keras_file.py", False)):
        with (copy / "toolchain" / file).open("a", encoding="utf-8") as edited:
            edited.write("\n# Mended.\n")
        assert reused() is expected
