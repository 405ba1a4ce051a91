"""Every command of the documents runs, in their order, in a folder with all that they name."""

from __future__ import annotations

import functools
import getpass
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import urllib.request
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from tests import command_line, host_services, tfjs_exports, tflite_files, tiny_models
from tests import mirror as hub
from tests.browser import toolchain_serve
from tests.conftest import shared_cache
from tests.fuzz import archive_readers, taught_readers
from tests.mirror import Mirror, Reply
from tests.test_deploy_hosts import s3, ssh_server  # noqa: F401 - fixtures
from tests.watchdog import HANG_S
from toolchain import cli, digest
from toolchain import tf as tensorflow
from toolchain.quantize import calibration, planning
from toolchain.sources import packaged
from toolchain.training import last_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.xdist_group("documents")

ROOT = Path(__file__).parents[1]
DOCUMENTS = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
NOT_RUN = {
    "make build-web": "takes minutes; CI starts with a bare machine and `make test`",
    "make test": "is what runs this",
}
FILES_OF_EXAMPLES = {"own-model.md": "my_model.toml", "smaller.md": "budget.toml"}
"""Where a document's first TOML block is put; other blocks have tests of their own."""
PATIENT = {'4g = "3 s"': '4g = "300 s"'}
"""Limits of time that hold on machines with other work to do, too."""
SIDE, CLASSES = 224, 1001
FEWER = (
    (planning, "_GENERATED", 8),
    (planning, "_JUDGED", 128),
    (planning, "_SENSITIVITY", 8),
    (last_blocks, "_VIEWS", 2),
)
"""Numbers of pictures, which make plans better and networks stronger, and take minutes."""
DEEP = {"--prune": ("--depth", "5", "--workers", "1"), "--fine-tune": ("--depth", "5")}
"""Photos at random may be told best by the first block, which has none before it that could change.
The pools of both are alike, and each starts TensorFlow four times."""


@dataclass(frozen=True)
class Command:
    """A line of a console block that begins with `$`."""

    document: str
    text: str

    @property
    def words(self) -> list[str]:
        """What the shell makes of it; a `#` begins a remark behind blanks only."""
        return shlex.split(re.sub(r"\s+#\s.*", "", self.text))

    def __str__(self) -> str:
        return f"{self.document}: {' '.join(self.words)}"


def commands() -> list[Command]:
    found = []
    for document in DOCUMENTS:
        for block in re.findall(r"```console\n(.*?)```", document.read_text("utf-8"), re.DOTALL):
            lines = re.findall(r"^\$ (.*)$", block, re.MULTILINE)
            found += [Command(document.name, line) for line in lines]
    return found


COMMANDS = commands()
TOOLCHAIN = [command for command in COMMANDS if command.words[0] == "toolchain"]


def example(document: str) -> str:
    """Return a document's first TOML block."""
    text = (ROOT / "docs" / document).read_text("utf-8")
    block, *_ = re.findall(r"```toml\n(.*?)```", text, re.DOTALL)
    for strict, patient in PATIENT.items():
        block = block.replace(strict, patient)
    return str(block)


def test_every_command_is_run_or_named_with_a_reason() -> None:
    others = {" ".join(each.words) for each in COMMANDS if each not in TOOLCHAIN}
    assert others == set(NOT_RUN)
    assert len(TOOLCHAIN) > 40


def test_every_toml_block_is_a_file_of_some_test() -> None:
    with_toml = {path.name for path in DOCUMENTS if "```toml" in path.read_text("utf-8")}
    assert with_toml == {*FILES_OF_EXAMPLES, "embed.md", "own-page.md", "plugins.md"}


@dataclass
class Workbench:
    """Where the documents' reader works."""

    folder: Path
    environment: Mapping[str, str]
    addresses: dict[str, str] = field(default_factory=dict)
    """What stands in for words of the documents that mean other machines and system folders."""

    def run(self, words: list[str], capfd: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
        """Run `toolchain` with these words in this process, which has imported TensorFlow."""
        words = [self.addresses.get(word, word) for word in words]
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            for name, value in self.environment.items():
                patch.setenv(name, value)
            patch.setattr(sys, "argv", ["toolchain", *words])
            capfd.readouterr()
            with pytest.raises(SystemExit) as left:
                cli.main()
        out, err = capfd.readouterr()
        return int(left.value.code or 0), out, err


def sure_model(folder: Path, classes: int, side: int) -> Path:
    """Write a SavedModel whose answer no rounding changes: one class is far ahead."""
    tf = tensorflow.load()
    kernel = tiny_models.weights(3, 3, 3, 8, seed=1)
    matrix = tiny_models.weights(8, classes, seed=2)
    bias = tf.Variable(10.0 * tf.one_hot(classes // 2, classes))

    def call(image: Any) -> Any:
        seen = tf.nn.relu6(tf.nn.conv2d(image, kernel, 4, "SAME"))
        return {"logits": tf.reduce_mean(seen, (1, 2)) @ matrix + bias}

    return tiny_models.save(folder, call, {"inputs": (None, side, side, 3)}, kernel, matrix, bias)


def export_small(name: str, checkpoint: Path, saved_model: Path) -> None:
    """Write a network of the embedded model's kind, input and labels, a hundredth of its size.

    The commands alone are tried here. On the embedded model itself they took eight minutes.
    """
    del name, checkpoint
    keras = tiny_models.libraries()["keras"]
    model = tiny_models.mobile_net(keras, CLASSES - 1, side=SIDE, stride=8, takes_bytes=False)
    tiny_models.with_statistics(model)
    with tensorflow.quiet():
        model.export(str(saved_model), format="tf_saved_model", verbose=False)


def packed(folder: Path) -> bytes:
    """Return a SavedModel as hosts send it."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return hub.pack({path.relative_to(folder).as_posix(): path.read_bytes() for path in files})


def serve_models(mirror: Mirror, archive: bytes) -> None:
    """Give this archive for every model that the documents name."""
    text = " ".join(path.read_text("utf-8") for path in DOCUMENTS)
    handles = set(re.findall(r"https://tfhub\.dev(/google/imagenet/\w+/classification/5)", text))
    for name in re.findall(r"mobilenet-(v[123](?:-\w+)*?-\d{3}-\d{3})", text):
        handles.add(f"/google/imagenet/mobilenet_{name.replace('-', '_')}/classification/5")
    for handle in handles:
        mirror.serve(handle, Reply(archive))
    for handle in re.findall(r"kaggle:([\w./-]+/\d+)", text):
        mirror.serve(f"/api/v1/models/{handle}/download", Reply(archive))


def fill(folder: Path, archive: bytes) -> None:
    """Put into a folder what the documents take for given."""
    (folder / "saved_model.tar.gz").write_bytes(archive)
    library = tiny_models.libraries()["keras"]
    tiny_models.save_keras(tiny_models.keras_model(library), folder / "my_model.keras")
    layers_model = tiny_models.keras_model(tiny_models.libraries()["tf_keras"])
    (folder / "pets").mkdir()
    tfjs_exports.write_layers(folder / "pets", layers_model)
    tfjs_exports.teachable(folder / "converted_tfjs", layers_model, "tfjs")
    shutil.make_archive(str(folder / "converted_tfjs"), "zip", folder / "converted_tfjs")
    (folder / "flowers.tflite").write_bytes(tflite_files.small().to_bytes())
    (folder / "labels.txt").write_text("\n".join(tiny_models.names()), "utf-8")
    for document, name in FILES_OF_EXAMPLES.items():
        (folder / name).write_text(example(document), "utf-8")
    random = np.random.default_rng(1)
    for name in "0", "1", "2":  # labels by their numbers, which every model here has
        for photos, count in ("photos", 8), ("other_day", 2):
            draw_photos(folder / photos / name, count, random)
    for name in "street", "garden":
        draw_photos(folder / name, 6, random)
    tags = ["cat", "cat;tree", "tree", "cat", "tree", ""]
    lines = [f"{place}.jpg,{those}" for place, those in enumerate(tags)]
    (folder / "garden" / "labels.csv").write_text("\n".join(["file,labels", *lines]), "utf-8")
    (folder / "my_page").mkdir()
    (folder / "my_page" / "index.html.j2").write_text(
        '{% extends "toolchain/index.html.j2" %}\n{% block footer %}<p>Mine</p>{% endblock %}\n',
        "utf-8",
    )


def write_taught(path: Path, model: str) -> None:
    """Write what a page of the model of `sure_model` exports, with photos."""
    photos = [
        {"tag": place // 6, "name": f"{place}.jpg", "file": f"photos/{place}.jpg"}
        for place in range(12)
    ]
    listed = taught_readers.listed(
        model={"name": "sure", "sha256": model}, width=8, none_of_these=None, photos=photos
    )
    layer = np.arange(18, dtype="<f4").tobytes()
    files = {"tags.json": json.dumps(listed).encode(), "layer.bin": layer}
    draw_photos(path.parent / "taught", 12, np.random.default_rng(2))
    for each in (path.parent / "taught").iterdir():
        files[f"photos/{each.name}"] = each.read_bytes()
    shutil.rmtree(path.parent / "taught")
    path.write_bytes(archive_readers.zip_of(files, zipfile.ZIP_STORED))


def draw_photos(folder: Path, count: int, random: np.random.Generator) -> None:
    """Write photos of coloured squares into a new folder."""
    folder.mkdir(parents=True)
    for place in range(count):
        pixels = random.integers(0, 255, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).resize((256, 256)).save(folder / f"{place}.jpg")


def prepare_branches(folder: Path) -> None:
    """Make the folder a repository with an origin, beside another repository."""
    for name in "origin.git", "pages.git":
        subprocess.run(["git", "init", "-q", "--bare", folder.parent / name], check=True)
    for words in (
        ["init", "-q", "--initial-branch", "main"],
        ["remote", "add", "origin", str(folder.parent / "origin.git")],
    ):
        subprocess.run(["git", "-C", folder, *words], check=True)


@pytest.fixture(scope="module")
def workbench(
    session_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Workbench]:
    base = tmp_path_factory.mktemp("documents")
    folder = base / "work"
    folder.mkdir()
    archive = packed(sure_model(base / "model", CLASSES, SIDE))
    fill(folder, archive)
    write_taught(folder / "taught.zip", digest.of_tree(base / "model"))
    prepare_branches(folder)
    with hub.running() as mirror, pytest.MonkeyPatch.context() as patch:
        # The same pictures each time; to draw them takes longer than all else of a tiny build.
        patch.setattr(calibration, "generated", functools.cache(calibration.generated))
        for module, name, fewer in FEWER:
            patch.setattr(module, name, fewer)
        patch.setattr(packaged, "_export", export_small)
        serve_models(mirror, archive)
        environment = {
            "TOOLCHAIN_STATE": str(base / "state"),
            # Not the usual one: what has a known name here is not that.
            "TOOLCHAIN_CACHE": str(shared_cache(session_folder, "documents-small")),
            "TOOLCHAIN_TFHUB_MIRROR": mirror.address,
            "KAGGLE_API_ENVIRONMENT": "LOCALHOST",
            "HOME": str(base),
            "http_proxy": mirror.address,
            "https_proxy": mirror.address,  # which refuses: nobody is asked out there
            "no_proxy": "127.0.0.1",
        }
        yield Workbench(folder, environment, {"/var/www/site": str(base / "www"), "8000": "0"})


@pytest.fixture
def bench(workbench: Workbench, capfd: pytest.CaptureFixture[str]) -> Workbench:
    """Return the workbench with two sites on it, both deployed, whatever ran before."""
    for out in "old", "dist":
        if not (workbench.folder / out).is_dir():
            words = ["build", "-m", "saved_model.tar.gz", "-q", "float16", "--title", out]
            assert workbench.run([*words, "--out", out], capfd)[0] == 0
            deployed = workbench.run(["deploy", "/var/www/site", "--site", out], capfd)
            assert deployed[0] == 0
    return workbench


def prepare_hosts(bench: Workbench, words: list[str], request: pytest.FixtureRequest) -> None:
    """Start the hosts that a command names, where it names any."""
    for word in words:
        if word.startswith("s3://"):
            import boto3

            address = request.getfixturevalue("s3")
            bucket = word.removeprefix("s3://").split("/")[0]
            client = boto3.client("s3", endpoint_url=address)
            client.create_bucket(Bucket=bucket)
            client.close()
            bench.addresses["https://s3.example.org"] = address
        elif word.startswith("me@example.org:"):
            shell = request.getfixturevalue("ssh_server")
            request.getfixturevalue("monkeypatch").setenv("RSYNC_RSH", shell)
            target = bench.folder.parent / "remote"
            bench.addresses[word] = f"{getpass.getuser()}@127.0.0.1:{target}"
        elif word.startswith(("cloudflare-pages:", "netlify:")):
            stand_in = host_services.stand_in(request.getfixturevalue("tmp_path") / "host")
            path = str(stand_in.commands)
            request.getfixturevalue("monkeypatch").setenv("PATH", path, prepend=os.pathsep)


def with_a_copy_of_the_cache(bench: Workbench, folder: Path) -> Workbench:
    """Return the workbench with a cache that may be emptied: later runs use the one it has."""
    shutil.copytree(
        bench.environment["TOOLCHAIN_CACHE"],
        folder,
        ignore=shutil.ignore_patterns("locks", "scratch", "uses"),
    )
    return replace(bench, environment={**bench.environment, "TOOLCHAIN_CACHE": str(folder)})


@pytest.mark.parametrize("command", TOOLCHAIN, ids=str)
def test_a_command_of_the_documents_runs(
    command: Command,
    bench: Workbench,
    capfd: pytest.CaptureFixture[str],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    words = command.words[1:]
    if words[0] == "serve":
        serve_once(bench, words)
        return
    target = None
    if ">" in words:
        target = bench.folder / words[-1]
        words = words[: words.index(">")]
    prepare_hosts(bench, words, request)
    words += next((more for option, more in DEEP.items() if option in words), ())
    if words == ["cache", "clear"]:
        bench = with_a_copy_of_the_cache(bench, tmp_path / "cache")
    if words[0] == "verify":
        with toolchain_serve(bench.folder / "dist") as url:
            bench.addresses[words[1]] = url
            code, out, err = bench.run(words, capfd)
    else:
        code, out, err = bench.run(words, capfd)
    assert code == 0, err
    assert "Traceback" not in out + err
    assert out
    if words[0] == "build":
        out_folder = words[words.index("--out") + 1] if "--out" in words else "dist"
        assert f"The site is in {out_folder}" in out
        assert "--no-fallback" not in err, "the model that was asked for"
    if "--prune" in words or "--fine-tune" in words:
        assert ("Pruning: " if "--prune" in words else "Fine-tuning: ") in err
    if target is not None:
        target.write_text(out, "utf-8")
        assert target.stat().st_size > 0


def serve_once(bench: Workbench, words: list[str]) -> None:
    """Start a server, ask it for the page, end it."""
    words = [bench.addresses.get(word, word) for word in words]
    if "--port" not in words:
        words += ["--port", "0"]  # somebody may have the usual one
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(bench.folder)
        with command_line.started(*words) as process:
            assert process.stdout is not None
            said = process.stdout.readline()
            address = re.search(r"http://127\.0\.0\.1:\d+/", said)
            assert address, said
            with urllib.request.urlopen(address[0], timeout=HANG_S) as answer:  # noqa: S310
                assert answer.read().startswith(b"<!doctype html>")
