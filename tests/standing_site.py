"""A site that is built once by the real command, and checks that faults leave it whole."""

from __future__ import annotations

import gzip
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import brotli
from filelock import FileLock

from tests import command_line, tiny_models
from toolchain import digest
from toolchain.site import build_info

if TYPE_CHECKING:
    import subprocess
    from pathlib import Path

# Every build writes this anew: it holds how long the stages took.
OF_THE_BUILD = ("report.",)


@dataclass(frozen=True)
class Good:
    """The last good site, the command that built it, and how long that took."""

    site: Path
    model: Path
    words: tuple[str | Path, ...]
    cache: Path
    seconds: float

    def lay_out(self, folder: Path, *kinds: str) -> tuple[Path, Path]:
        """Copy the site and these kinds of cache entries into an empty folder.

        `MOST_ENCODED` instead of "encoded" leaves out the encodings that take a build longest.
        """
        out, cache = folder / "site", folder / "cache"
        shutil.copytree(self.site, out)
        for kind in kinds:
            name = kind.removeprefix("most ")
            shutil.copytree(self.cache / "v1" / name, cache / "v1" / name)
        if MOST_ENCODED in kinds:
            entries = (cache / "v1" / "encoded").iterdir()
            for entry in sorted(entries, key=_encoded_bytes)[-LEFT_TO_ENCODE:]:
                shutil.rmtree(entry)
        return out, cache

    def run(self, out: Path, cache: Path, title: str) -> subprocess.CompletedProcess[str]:
        return command_line.run(*self.words, "--out", out, "--title", title, cache=cache)


def good_site(session_folder: Path) -> Good:
    """Return the site that the first to ask built with an empty cache; do not change it."""
    folder = session_folder / "standing-site"
    cache, out, took = folder / "cache", folder / "site", folder / "seconds"
    model, labels = folder / "tiny", folder / "labels.txt"
    words = ("build", "-m", model, "--labels", labels, "--value-range", "0,1", "-q", "int8")
    with FileLock(f"{folder}.lock"):
        if not took.exists():
            shutil.rmtree(folder, ignore_errors=True)
            tiny_models.saved_model(model)
            labels.write_text("\n".join(tiny_models.names()), "utf-8")
            begun = time.monotonic()
            done = command_line.run(*words, "--out", out, cache=cache)
            assert done.returncode == 0, done.stderr
            took.write_text(str(time.monotonic() - begun), "utf-8")
    return Good(out, model, words, cache, float(took.read_text("utf-8")))


def _encoded_bytes(entry: Path) -> int:
    return sum(path.stat().st_size for path in entry.glob("content/*"))


KINDS = ("tfjs", "compressed", "encoded")
MOST_ENCODED = "most encoded"
LEFT_TO_ENCODE = 3
"""Files of 0.1 to 0.3 MB: half a second of the two that all files take."""


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def published(folder: Path) -> dict[str, bytes]:
    """Return the files of a site without the report of the build."""
    return {
        name: data for name, data in contents(folder).items() if not name.startswith(OF_THE_BUILD)
    }


def assert_whole(out: Path, title: str) -> None:
    """Check that a site is exactly what its `build-info.json` says, in every encoding."""
    files = contents(out)
    info = build_info.read(files["build-info.json"], "build-info.json")
    for path, fact in info.files.items():
        assert digest.of_bytes(files[path]) == fact.sha256, path
        if (packed := files.get(f"{path}.br")) is not None:
            assert brotli.decompress(packed) == files[path]
        if (packed := files.get(f"{path}.gz")) is not None:
            assert gzip.decompress(packed) == files[path]
    plain = {name for name in files if not name.endswith((".br", ".gz"))}
    others = {"report.json", "report.html", "report.networks.json", "_headers", build_info.NAME}
    assert plain == {*info.files, *others}
    assert f"<title>{title}</title>".encode() in files["index.html"]


def beside(out: Path) -> list[str]:
    return sorted(path.name for path in out.parent.glob(f".{out.name}.*"))


def scratch(cache: Path) -> list[Path]:
    return list(cache.glob("v1/scratch/*"))


def assert_a_sentence(err: str, *parts: str) -> None:
    """Check that the last line is one message for the user, without a traceback."""
    last = err.splitlines()[-1]
    assert last.startswith("toolchain: ")
    assert "unexpected error" not in last
    assert "Traceback" not in err
    for part in parts:
        assert part in last
