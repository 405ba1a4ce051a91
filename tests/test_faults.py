"""Disks and places that take no site or no cache while a site is built: each is a sentence.

Every build here is the real command in a process of its own, over a site that stands.
"""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests import command_line
from tests.standing_site import KINDS, Good, assert_a_sentence, beside, contents, good_site, scratch
from tests.watchdog import HANG_S

pytestmark = [
    pytest.mark.xdist_group("faults"),
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
]
IN_A_SPACE_OF_ITS_OWN = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.fixture(scope="module")
def good(session_folder: Path) -> Good:
    return good_site(session_folder)


@pytest.fixture(scope="module")
def _private_mounts() -> None:
    """Skip where this user may not mount a small disk for a process alone."""
    tried = subprocess.run(
        [*IN_A_SPACE_OF_ITS_OWN, "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
        capture_output=True,
        text=True,
        check=False,
    )
    if tried.returncode != 0:
        pytest.skip(f"no mounts of one's own here: {tried.stderr.strip()}")


# Mounts a small disk at $1 with what lies in $2, does $3 to it, runs the rest of the words,
# and brings what is on the disk then back to $2.
ON_A_DISK = """
disk=$1 inside=$2 size=$3 then=$4; shift 4
mount -t tmpfs -o size=$size tmpfs "$disk" && cp -a "$inside/." "$disk" || exit 99
rm -rf "$inside" && [ -z "$then" ] || mount -o "$then" "$disk" || exit 99
"$@"; code=$?
cp -a "$disk/." "$inside"; exit $code
"""


def on_a_disk(
    words: tuple[str | Path, ...],
    disk: Path,
    *,
    size: str,
    cache: Path,
    then: str = "",
) -> subprocess.CompletedProcess[str]:
    """Run the command with a folder on a disk of its own; afterwards what was on it lies there."""
    inside = disk.rename(disk.with_name(f"{disk.name} inside"))
    disk.mkdir()
    done = subprocess.run(
        [
            *(*IN_A_SPACE_OF_ITS_OWN, "sh", "-c", ON_A_DISK, "sh"),
            *map(str, (disk, inside, size, then, *command_line.TOOLCHAIN, *words)),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=HANG_S,
        env={**os.environ, "TOOLCHAIN_CACHE": str(cache)},
    )
    disk.rmdir()
    inside.rename(disk)
    return done


@pytest.mark.usefixtures("_private_mounts")
@pytest.mark.parametrize(
    ("size", "then", "said"),
    [
        ("4m", "", "cannot be written: No space left on device; free some space on that disk, or"),
        ("4m", "remount,ro", "cannot be written: Read-only file system; choose another folder"),
    ],
    ids=["full", "read-only"],
)
def test_a_disk_that_takes_no_site_is_a_sentence_and_the_last_site_stands(
    good: Good, tmp_path: Path, size: str, then: str, said: str
) -> None:
    out, cache = good.lay_out(tmp_path / "disk", *KINDS)
    cache = cache.rename(tmp_path / "cache")
    before = contents(out)
    if not then:
        # What is left is less than a second site.
        (out.parent / "other").write_bytes(bytes((4 << 20) - 4096 * 600))
    words = (*good.words, "--out", out, "--title", "Next")
    done = on_a_disk(words, out.parent, size=size, cache=cache, then=then)
    assert done.returncode in (1, 2)
    assert_a_sentence(done.stderr, str(out), said, "--out")
    assert contents(out) == before
    assert beside(out) == []


@pytest.mark.usefixtures("_private_mounts")
@pytest.mark.parametrize(
    ("kinds", "size", "then"),
    [((), "8k", ""), (("tfjs", "compressed"), "300k", ""), (KINDS, "8m", "remount,ro")],
    ids=["full at the conversion", "full at the encodings", "read-only"],
)
def test_a_disk_that_takes_no_cache_is_a_sentence_and_the_last_site_stands(
    good: Good, tmp_path: Path, kinds: tuple[str, ...], size: str, then: str
) -> None:
    out, cache = good.lay_out(tmp_path, *kinds)
    cache.mkdir(exist_ok=True)
    before = contents(out)
    words = (*good.words, "--out", out, "--title", "Next")
    done = on_a_disk(words, cache, size=size, cache=cache, then=then)
    assert done.returncode == 1
    cause = "Read-only file system" if then else "No space left on device; free some space on"
    said = f"the cache {cache} cannot be written: {cause}"
    assert_a_sentence(done.stderr, said, "set TOOLCHAIN_CACHE")
    assert contents(out) == before
    assert beside(out) == []
    assert scratch(cache) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux' full device")
@pytest.mark.parametrize("words", [("models",), ("models", "--help"), ("--version",)])
def test_a_report_that_is_sent_to_a_full_disk_is_a_sentence(words: tuple[str, ...]) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command_line.TOOLCHAIN, *words],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 1
    assert_a_sentence(done.stderr, "standard output cannot be written: No space left on device")


@pytest.mark.parametrize("where", ["a file above it", "a name too long"])
def test_a_place_that_no_site_can_have_is_a_sentence(
    good: Good, tmp_path: Path, where: str
) -> None:
    (tmp_path / "file").write_bytes(b"mine")
    out = tmp_path / "file" / "site" if where == "a file above it" else tmp_path / ("x" * 300)
    done = good.run(out, good.cache, "Next")
    assert done.returncode == 2
    assert_a_sentence(done.stderr, str(out), "cannot be written: ", "choose another folder")
    assert (tmp_path / "file").read_bytes() == b"mine"
    assert [path.name for path in tmp_path.iterdir() if path.name != "toolchain.lock.json"] == [
        "file"
    ]
