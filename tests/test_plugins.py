"""Sources and deploy targets that another installed distribution brings."""

from __future__ import annotations

import re
import subprocess
import sys
from datetime import timedelta
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.mirror import pack
from tests.test_archive import GRAPH
from tests.test_deploy import expected, make_site, shown
from toolchain import cli, plugins, toml
from toolchain.deployment import address, stage
from toolchain.deployment.hosts import FOLDER
from toolchain.errors import BadInputError, PinMismatchError, ToolchainError
from toolchain.pipeline import doctor
from toolchain.plugins import SOURCES, TARGETS, PluginError
from toolchain.progress import Silent
from toolchain.sources import resolve
from toolchain.sources.request import Kind, Request, parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from toolchain.cache.store import Store

DOCUMENT = Path(__file__).parents[1] / "docs" / "plugins.md"
Install = dict[str, dict[str, str]]


def block(language: str) -> str:
    """Return the only block of a language in the page about plugins."""
    (found,) = re.findall(rf"```{language}\n(.*?)```", DOCUMENT.read_text("utf-8"), re.DOTALL)
    return str(found)


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Return what installs a distribution for this test: its code and its metadata."""
    site = tmp_path / "site-packages"
    site.mkdir()
    monkeypatch.syspath_prepend(str(site))

    def installed(name: str, groups: Install, code: str = "") -> None:
        module = name.replace("-", "_")
        (site / f"{module}.py").write_text(code, "utf-8")
        # A module of this name may be left from another test.
        monkeypatch.delitem(sys.modules, module, raising=False)
        info = site / f"{module}-1.0.dist-info"
        info.mkdir()
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
        (info / "METADATA").write_text(metadata, "utf-8")
        lines = []
        for group, entries in groups.items():
            lines += [f"[{group}]", *(f"{key} = {value}" for key, value in entries.items())]
        (info / "entry_points.txt").write_text("\n".join(lines) + "\n", "utf-8")

    return installed


@pytest.fixture
def team(install: Callable[..., None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Install the documents' example; return the folder with its models and sites."""
    (tmp_path / "pyproject.toml").write_text(block("toml"), "utf-8")
    project = toml.read(tmp_path / "pyproject.toml")["project"]
    install(project["name"], project["entry-points"], block("python"))
    for name in "models", "sites":
        (tmp_path / name).mkdir()
        monkeypatch.setenv(f"TEAM_{name.upper()}", str(tmp_path / name))
    (tmp_path / "models" / "flowers.tar.gz").write_bytes(pack({"saved_model.pb": GRAPH}))
    return tmp_path


def fetch(request: Request, store: Store) -> Path:
    return resolve.fetch(request, store=store, progress=Silent()).path


def test_the_documents_source_gives_a_model_that_is_pinned(team: Path, store: Store) -> None:
    request = Request("team:flowers", lockfile=team / "pins.json", trust=True)
    fetched = resolve.fetch(request, store=store, progress=Silent())
    assert parse("team:flowers").kind is Kind.PLUGIN
    assert (fetched.path / "saved_model.pb").read_bytes() == GRAPH
    assert fetched.source == "team:flowers"
    assert fetched.trusted
    assert fetched.sha256 in request.lockfile.read_text("utf-8")

    other = pack({"saved_model.pb": GRAPH, "assets/note.txt": b"another"})
    (team / "models" / "flowers.tar.gz").write_bytes(other)
    with pytest.raises(PinMismatchError, match="team:flowers"):
        fetch(request, store)


def test_a_plugins_own_error_reaches_the_user_as_it_is(team: Path, store: Store) -> None:
    request = Request("team:trees", lockfile=team / "pins.json")
    with pytest.raises(BadInputError, match="the team has no model trees; look into"):
        fetch(request, store)


def test_the_documents_target_takes_a_site_and_gives_the_former_back(team: Path) -> None:
    for word in "one", "two":
        site = make_site(team / "site", word)
        stage.deploy(site, address.parse("team:flowers"), progress=Silent())
    assert expected(site).items() <= shown(team / "sites" / "flowers").items()
    stage.rollback(address.parse("team:flowers"), progress=Silent())
    former = make_site(team / "site", "one")
    page = team / "sites" / "flowers" / "index.html"
    assert page.read_text("utf-8") == (former / "index.html").read_text("utf-8")
    assert (team / "sites" / "flowers.changed").read_text("utf-8").startswith("Roll back to")


@pytest.mark.usefixtures("team")
def test_nothing_of_a_plugin_is_imported_before_it_is_needed(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert [plugin.distribution for plugin in plugins.installed(SOURCES)] == ["toolchain-team 1.0"]
    for words in ["--help"], ["build", "--help"], ["models"], ["pull", "nothing-like-it"]:
        monkeypatch.setattr(sys, "argv", ["toolchain", *words])
        with pytest.raises(SystemExit):
            cli.main()
    assert "nothing-like-it" in capfd.readouterr().err
    assert parse("team:flowers").kind is Kind.PLUGIN
    assert "toolchain_team" not in sys.modules


BROKEN = {
    "raise ImportError('no libteam')": "ImportError: no libteam",
    "def (": "SyntaxError: ",
    "raise SystemExit(3)": "SystemExit: 3",
    "fetch = 7": "broken:fetch cannot be called",
    "other = 7": "AttributeError: ",
    "def fetch(*a, **k): return 7": "returned int for broken:x, not a",
    "def fetch(*a, **k): return [][1]": "(IndexError: list index out of range)",
}


@pytest.mark.parametrize(("code", "told"), BROKEN.items(), ids=BROKEN.values())
def test_a_broken_plugin_is_one_sentence_that_names_its_distribution(
    install: Callable[..., None], team: Path, store: Store, code: str, told: str
) -> None:
    groups = {SOURCES: {"broken": "broken:fetch"}, TARGETS: {"broken": "broken:fetch"}}
    install("broken", groups, code)
    for use in (
        lambda: fetch(Request("broken:x", lockfile=team / "pins.json"), store),
        lambda: address.parse("broken:x"),
    ):
        with pytest.raises(PluginError) as raised:
            use()
        sentence = str(raised.value)
        assert sentence.startswith("the plugin 'broken' of broken 1.0 ")
        assert told in sentence
        assert sentence.endswith("; update or remove that distribution")
    # The others, plugins and the tool's own, are as they were.
    assert fetch(Request("team:flowers", lockfile=team / "pins.json"), store).is_dir()
    assert address.parse(str(team / "folder")).host is FOLDER


def test_what_a_source_returns_must_be_a_whole_model(
    install: Callable[..., None], tmp_path: Path, store: Store
) -> None:
    code = (
        "from pathlib import Path\n"
        "from toolchain.sources.saved_model import Fetched\n"
        "def fetch(request, *, store, progress):\n"
        f"    return Fetched(Path({str(tmp_path)!r}), '0' * 64, request.model)\n"
    )
    install("hollow", {SOURCES: {"hollow": "hollow:fetch"}}, code)
    with pytest.raises(BadInputError, match=r"'hollow' of hollow 1\.0.*saved_model\.pb is missing"):
        fetch(Request("hollow:x", lockfile=tmp_path / "pins.json"), store)
    assert not (tmp_path / "pins.json").exists()


FAULTY_TARGET = """
from pathlib import Path
from toolchain.deployment.folder import FolderTarget

class Faulty(FolderTarget):
    def __init__(self, word):
        super().__init__(Path(word.removeprefix("faulty:")))

    def METHOD(self, *words):
        raise LookupError("no such shelf")
"""


@pytest.mark.parametrize(
    ("method", "doing"),
    [
        ("__enter__", "reach"),
        ("read", "read .toolchain/history.json"),
        ("differing", "compare"),
        ("put", "send to"),
        ("remove", "remove from"),
        ("finish", "finish"),
    ],
)
def test_a_target_that_fails_in_the_middle_names_its_distribution(
    install: Callable[..., None], tmp_path: Path, method: str, doing: str
) -> None:
    code = FAULTY_TARGET.replace("METHOD", method)
    install("faulty", {TARGETS: {"faulty": "faulty:Faulty"}}, code)
    target = address.parse(f"faulty:{tmp_path / 'web'}")

    def deploy_thrice() -> None:  # the third one has files of the first to remove
        for word in "one", "two", "three":
            site = make_site(tmp_path / "site", word)
            stage.deploy(site, target, progress=Silent(), grace=timedelta(0))

    with pytest.raises(PluginError, match=rf"'faulty' of faulty 1\.0 could not {doing}") as raised:
        deploy_thrice()
    assert "(LookupError: no such shelf)" in str(raised.value)


def test_a_target_without_a_name_is_told_before_anything_is_sent(
    install: Callable[..., None],
) -> None:
    code = FAULTY_TARGET.replace("super().__init__", "str")
    install("faulty", {TARGETS: {"faulty": "faulty:Faulty"}}, code)
    with pytest.raises(PluginError, match=r"could not describe faulty:x \(AttributeError"):
        address.parse("faulty:x")


@pytest.mark.usefixtures("team")
def test_two_plugins_with_one_prefix_are_told_and_neither_is_taken(
    install: Callable[..., None],
) -> None:
    install("rival", {TARGETS: {"team": "rival:open"}}, "def open(word): raise AssertionError")
    with pytest.raises(PluginError, match=r"rival 1\.0 and .*toolchain-team 1\.0"):
        address.parse("team:flowers")
    findings = [each for each in doctor._plugins() if each.subject == "target team:"]
    assert [each.good for each in findings] == [False, False]
    assert parse("team:flowers").kind is Kind.PLUGIN


@pytest.mark.parametrize(
    ("group", "prefix", "word"),
    [
        (TARGETS, "s3", "s3://"),
        (SOURCES, "https", "https://x.example/model"),
        (SOURCES, "kaggle", "kaggle:google/mobilenet-v2/tensorFlow2/050-160-classification/2"),
    ],
)
def test_prefixes_of_the_tools_own_are_not_taken_over(
    install: Callable[..., None], group: str, prefix: str, word: str
) -> None:
    install("thief", {group: {prefix: "thief:take"}}, "raise AssertionError")
    if group == SOURCES:
        assert parse(word).kind is not Kind.PLUGIN
    else:
        with pytest.raises(BadInputError, match="names no bucket"):
            address.parse(word)
    (finding,) = doctor._plugins()
    assert not finding.good
    assert "thief 1.0" in finding.mend
    assert "thief" not in sys.modules


def test_every_prefix_that_a_command_takes_is_reserved() -> None:
    named = set(re.findall(r"\b([a-z0-9-]+):(?![A-Za-z0-9]+@)", address.EXAMPLES)) - {"host"}
    assert named | {"rsync"} == plugins.RESERVED[TARGETS]


@pytest.mark.parametrize("word", ["C:/models/x", "team", "Team:x", "te am:x", ":x"])
@pytest.mark.usefixtures("team")
def test_words_without_a_plugins_prefix_are_no_plugins(word: str) -> None:
    assert plugins.answering(SOURCES, word) is None


def test_the_doctor_lists_plugins_and_says_which_do_not_load(
    install: Callable[..., None], team: Path
) -> None:
    install("broken", {SOURCES: {"broken": "broken:fetch"}}, "import no_such_module_at_all")
    # A process of its own, as a user has it.
    result = subprocess.run(
        [
            sys.executable,
            "-c",
            "from toolchain.pipeline import doctor; print(*doctor._plugins(), sep='\\n')",
        ],
        env={"PYTHONPATH": f"{team / 'site-packages'}:{DOCUMENT.parents[1]}"},
        capture_output=True,
        text=True,
        check=True,
    )
    broken, source, target = result.stdout.splitlines()
    assert "'source team:', good=True, found='toolchain-team 1.0'" in source
    assert "'target team:', good=True, found='toolchain-team 1.0'" in target
    assert "'source broken:', good=False, found='broken 1.0'" in broken
    assert "No module named 'no_such_module_at_all'" in broken


def test_an_entry_point_without_a_distribution_is_named_all_the_same() -> None:
    plugin = plugins.Plugin(EntryPoint("x", "no_such_module_at_all:y", SOURCES))
    with pytest.raises(ToolchainError, match="an unknown distribution"):
        plugin.load()
