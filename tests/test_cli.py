"""The command line: quick where it can be, and one sentence where something is wrong."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests import command_line, tiny_models
from tests.watchdog import HANG_S
from toolchain import __version__, cli
from toolchain.sources.catalogue import APPLICATIONS, ENTRIES

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def toolchain(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str, str]]:
    """Return the command, run in this process since TensorFlow is imported here already."""

    def run(*words: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["toolchain", *map(str, words)])
        capfd.readouterr()  # what making the test's model printed is not the command's
        with pytest.raises(SystemExit) as left:
            cli.main()
        out, err = capfd.readouterr()
        return int(left.value.code or 0), out, err

    return run


SLOW = ("tensorflow", "keras", "tf_keras", "pydantic", "rich", "numpy", "PIL", "urllib3")


@pytest.mark.parametrize("words", [["--help"], ["--version"], ["build", "--help"]])
def test_help_imports_nothing_slow(words: list[str]) -> None:
    script = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print([name for name in {SLOW} if name in sys.modules]))\n"
        "from toolchain.cli import main\n"
        "main()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words], capture_output=True, text=True, check=False
    )
    *said, imported = done.stdout.splitlines()
    # Typer itself takes pydantic to read the options of a command, in newer versions.
    assert imported in ({"[]", "['pydantic']"} if words[0] == "build" else {"[]"})
    assert f"toolchain {__version__}" in said or any("--help" in line for line in said)
    assert "Traceback" not in done.stderr


def test_every_command_is_in_the_help(toolchain: Callable[..., tuple[int, str, str]]) -> None:
    code, out, _ = toolchain("--help")
    assert code == 0
    for name in ("build", "pull", "models", "inspect", "serve", "doctor"):
        assert f"\n  {name} " in out


def test_models_lists_every_name(toolchain: Callable[..., tuple[int, str, str]]) -> None:
    code, out, err = toolchain("models")
    assert code == 0
    assert err == ""
    table, _, rest = out.partition("The default is mobilenet-v2-100-224")
    rows = [line.split()[0] for line in table.splitlines() if line.strip()]
    assert rows[2:] == [*ENTRIES, *APPLICATIONS, "vgg16"]
    assert "top-1" in table.splitlines()[1]
    for entry in ENTRIES.values():
        assert not entry.handles or f"{entry.name}: {' | '.join(entry.handles)}\n" in rest


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    path = tmp_path / "labels.txt"
    path.write_text("\n".join(tiny_models.names()), "utf-8")
    return path


def sentence(code: int, err: str) -> str:
    """Return the only line on standard error."""
    assert code == 2
    (line,) = err.splitlines()
    assert line.startswith("toolchain: ")
    return line


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (["-m", "/missing/model"], ["/missing/model", "give the path of a SavedModel or Keras"]),
        (["-m", "missing.keras"], ["missing.keras", "give the path of a SavedModel or Keras"]),
        (["-m", "missing/model"], ["missing/model", "give the path"]),
        (["-m", "mobilenet-v2-100-225"], ["mobilenet-v2-100-225", "did you mean mobilenet-v2-100"]),
        (["-m", "MobileNetV2"], ["MobileNetV2", "did you mean mobilenet-v2-100-224"]),
        (["-m", "x" * 300], ["xxx", "toolchain models"]),
        (["-m", "~nobody-of-that-name/model"], ["~nobody-of-that-name/model", "give the path"]),
        (["-m", "."], ["not a whole SavedModel", "saved_model.pb is missing"]),
        (["-m", "file"], ["file is not a model that this tool can read", ".keras"]),
        (["-m", "ftp://tfhub.dev/model"], ["ftp://tfhub.dev/model is not an address", "http(s)"]),
        (["--shard-size", "many"], ["--shard-size many", "4MiB"]),
        (["--shard-size", "-1"], ["--shard-size -1", "4MiB"]),
        (["--shard-size", "1,5MiB"], ["--shard-size 1,5MiB", "4MiB"]),
        (["--shard-size", "4TiB"], ["--shard-size 4TiB", "4MiB"]),
        (["--shard-size", ""], ["--shard-size", "4MiB"]),
        (["--shard-size", "0"], ["--shard-size 0 is too small", "64KiB"]),
        (["--shard-size", "63KiB"], ["--shard-size 63KiB is too small", "64KiB"]),
        (["--value-range", "bytes"], ["--value-range bytes", "0,1 or -1,1"]),
        (["--value-range", "0"], ["--value-range 0", "0,1 or -1,1"]),
        (["--value-range", "0,1,2"], ["--value-range 0,1,2", "0,1 or -1,1"]),
        (["--value-range", "5,5"], ["value_range", "smaller"]),
        (["--value-range", "0,inf"], ["value_range", "finite"]),
        (["--value-range", "nan,1"], ["value_range", "finite"]),
        (["--input-size", "large"], ["--input-size large", "224"]),
        (["--input-size", "224×224"], ["--input-size 224×224", "192x256"]),
        (["--input-size", "-224"], ["--input-size -224", "192x256"]),
        (["--input-size", "0"], ["height", "greater than 0"]),
        (["--input-size", "224x0"], ["width", "greater than 0"]),
        (["--input-size", "100000"], ["height", "4096"]),
        (["--crop-fraction", "0"], ["crop_fraction", "greater than 0"]),
        (["--crop-fraction", "1.5"], ["crop_fraction", "less than or equal to 1"]),
        (["--quantize", "int4"], ["--quantize int4", "none, float16, uint16, uint8"]),
        (["--labels", "missing.txt"], ["the labels missing.txt", "No such file"]),
        (["--out", "file"], ["file is not a folder", "--out"]),
        (["--out", "foreign"], ["foreign holds files that this tool did not make", "--out"]),
    ],
    ids=lambda value: " ".join(value)[:40] if value and value[0].startswith("-") else "",
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    toolchain: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    words: list[str],
    named: list[str],
) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "thesis.tex").write_bytes(b"")
    code, out, err = toolchain("build", *words)
    said = sentence(code, err)
    for part in named:
        assert part in said
    assert out == ""
    assert (tmp_path / "foreign" / "thesis.tex").is_file()


def test_labels_without_a_label_are_refused(
    toolchain: Callable[..., tuple[int, str, str]], labels: Path, tiny: Path
) -> None:
    labels.write_text("\n\n", "utf-8")
    code, _, err = toolchain("build", "-m", tiny, "--labels", labels)
    assert f"the labels {labels} are empty" in sentence(code, err)


def progress_and_sentence(code: int, err: str) -> str:
    """Return the last line; before it stands only what was going on."""
    *progress, said = err.splitlines()
    assert code == 2
    assert said.startswith("toolchain: ")
    for line in progress:
        assert line.startswith(("Reading ", "Converting to TF.js"))
    return said


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (tiny_models.without_signature, "no signature to call"),
        (tiny_models.with_two_inputs, "takes 2 inputs"),
        (lambda path: tiny_models.of_input_shape(path, (None, 32, 32)), "rank 3"),
        (
            lambda path: tiny_models.saved_model(path, shape=(None, 32, 32, 4)),
            "photos have 3 channels (RGB) or 1",
        ),
        (lambda path: tiny_models.saved_model(path, dtype="int16"), "takes int16"),
        (
            lambda path: tiny_models.saved_model(path, dtype="uint8"),
            "takes bytes, 0…255, and scales them itself; leave out --value-range",
        ),
        (tiny_models.with_a_map_for_output, "rank 4, but a classifier returns [n, classes]"),
        (tiny_models.with_an_operation_tfjs_lacks, "TF.js lacks: Svd"),
        (lambda path: tiny_models.saved_model(path, 4), "4 classes but there are 5 labels after"),
        (
            lambda path: tiny_models.saved_model(path, shape=(None, None, None, 3)),
            "any height; choose one with --input-size",
        ),
    ],
    ids=[
        "unsigned",
        "inputs",
        "rank",
        "channels",
        "dtype",
        "bytes",
        "map",
        "svd",
        "labels",
        "size",
    ],
)
def test_a_model_that_cannot_be_built_is_one_sentence_and_exit_code_2(
    toolchain: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    labels: Path,
    make: Callable[[Path], Path],
    named: str,
) -> None:
    model = make(tmp_path / "model")
    code, _, err = toolchain(
        "build", "-m", model, "--labels", labels, "--out", "site", "--value-range", "0,1"
    )
    said = progress_and_sentence(code, err)
    assert named.removesuffix(" after") in said
    assert "model" in said
    assert not (tmp_path / "site").exists()


def test_in_a_process_of_its_own_tensorflow_is_as_quiet(tmp_path: Path, labels: Path) -> None:
    model = tiny_models.with_an_operation_tfjs_lacks(tmp_path / "model")
    words = ("build", "-m", model, "--labels", labels, "--value-range", "0,1", "--out", "site")
    done = command_line.run(*words)
    assert "TF.js lacks: Svd" in progress_and_sentence(done.returncode, done.stderr)
    assert done.stdout == ""


def test_debug_shows_where_it_happened() -> None:
    for words in (["--debug", "build"], ["build", "--debug"]):
        done = command_line.run(*words, "-m", "/missing/model")
        assert done.returncode != 0
        assert "Traceback" in done.stderr
        assert "BadInputError: there is no model at /missing/model" in done.stderr


@pytest.mark.parametrize("out", ["file/site", "/proc/site", "x" * 300])
def test_a_place_that_cannot_be_written_is_one_sentence_and_exit_code_2(
    toolchain: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    tiny: Path,
    labels: Path,
    out: str,
) -> None:
    (tmp_path / "file").write_bytes(b"")
    words = ("--labels", labels, "--value-range", "0,1", "--out", out)
    code, _, err = toolchain("build", "-m", tiny, *words)
    said = progress_and_sentence(code, err)
    assert f"{out} cannot be written: " in said
    assert "--out" in said


def test_another_digest_than_expected_is_one_sentence(
    toolchain: Callable[..., tuple[int, str, str]], tiny: Path
) -> None:
    code, _, err = toolchain("pull", tiny, "--sha256", "0" * 64)
    assert code == 1
    (said,) = err.splitlines()
    assert said.startswith(f"toolchain: checksum mismatch: {tiny} has the SHA-256 ")
    assert "0" * 64 in said


def test_pull_says_where_the_model_lies(
    toolchain: Callable[..., tuple[int, str, str]], tiny: Path
) -> None:
    code, out, err = toolchain("pull", tiny)
    assert code == 0
    assert err == ""
    assert f"path    {tiny}\n" in out


def test_inspect_counts_a_model(
    toolchain: Callable[..., tuple[int, str, str]], tiny: Path, labels: Path
) -> None:
    code, out, err = toolchain("inspect", tiny, "--labels", labels)
    rows = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert code == 0
    assert err == ""
    assert rows["parameters"] == "133"
    assert rows["multiply-adds"] == "24,320"
    assert rows["output"].startswith("5 classes")
    assert "Conv2D × 1" in rows["ops"]


def test_there_is_no_site_to_serve(
    toolchain: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    code, _, err = toolchain("serve", tmp_path)
    assert f"there is no site at {tmp_path}" in sentence(code, err)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")
def test_ctrl_c_ends_it_with_130_and_no_traceback() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/model"
        with command_line.started("pull", url) as process, silent.accept()[0]:
            process.send_signal(signal.SIGINT)
            _, err = process.communicate(timeout=HANG_S)
    assert process.returncode == 130
    assert "Traceback" not in err
