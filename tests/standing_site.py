"""A site that is built once by the real command, and checks that faults leave it whole."""

from __future__ import annotations

import gzip
import shutil
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import brotli

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
    words: tuple[str | Path, ...]
    cache: Path
    seconds: float

    def lay_out(self, folder: Path, *kinds: str) -> tuple[Path, Path]:
        """Copy the site and these kinds of cache entries into an empty folder."""
        out, cache = folder / "site", folder / "cache"
        shutil.copytree(self.site, out)
        for kind in kinds:
            shutil.copytree(self.cache / "v1" / kind, cache / "v1" / kind)
        return out, cache

    def run(self, out: Path, cache: Path, title: str) -> subprocess.CompletedProcess[str]:
        return command_line.run(*self.words, "--out", out, "--title", title, cache=cache)


def good_site(model: Path, folder: Path) -> Good:
    """Build a site with an empty cache, in its own process."""
    labels = folder / "labels.txt"
    labels.write_text("\n".join(tiny_models.names()), "utf-8")
    words = ("build", "-m", model, "--labels", labels, "--value-range", "0,1", "-q", "int8")
    begun = time.monotonic()
    cache, out = folder / "cache", folder / "site"
    done = command_line.run(*words, "--out", out, cache=cache)
    assert done.returncode == 0, done.stderr
    return Good(out, words, cache, time.monotonic() - begun)


KINDS = ("tfjs", "compressed", "encoded")


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
