"""Deploying to hosts with tools of their own: our side by a stand-in, theirs by the real tools."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests import host_services
from tests.host_services import TOKEN, Service, StandIn
from tests.test_deploy import BEGIN, DAY, expected, make_site, shown
from toolchain.deployment import hosts, stage
from toolchain.deployment.address import parse
from toolchain.deployment.mirror import Mirror
from toolchain.deployment.vendor_cli import CloudflarePagesTarget, NetlifyTarget, OwnToolTarget
from toolchain.errors import BadInputError, MissingToolError, ToolchainError
from toolchain.progress import Silent

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

PLACES = ("cloudflare-pages:flowers", "netlify:flowers")


def deploy(site: Path, word: str, **options: Any) -> stage.Outcome:
    return stage.deploy(site, parse(word), progress=Silent(), **options)


def rollback(word: str, **options: Any) -> stage.Outcome:
    return stage.rollback(parse(word), progress=Silent(), **options)


def published(site: Path) -> dict[str, str]:
    """Return what such a host gets: no encodings, `_headers`."""
    plain = {
        path: text for path, text in expected(site).items() if not path.endswith((".br", ".gz"))
    }
    return plain | {"_headers": (site / "_headers").read_text("utf-8")}


# -- our side, with a stand-in ----------------------------------------------------------------


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOOLCHAIN_STATE", str(tmp_path / "state"))


@pytest.fixture
def host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StandIn:
    made = host_services.stand_in(tmp_path / "host")
    monkeypatch.setenv("PATH", str(made.commands), prepend=os.pathsep)
    for name in "CLOUDFLARE_API_TOKEN", "NETLIFY_AUTH_TOKEN":
        monkeypatch.setenv(name, TOKEN)
    return made


@pytest.mark.parametrize("word", PLACES)
def test_a_site_comes_and_goes_back(host: StandIn, tmp_path: Path, word: str) -> None:
    one, two = make_site(tmp_path / "a", "one"), make_site(tmp_path / "b", "two")
    first = deploy(one, word)
    assert shown(host.shown) == published(one)
    assert set(first.sent) == set(published(one))

    second = deploy(two, word)
    assert "assets/shared.0123456789abcdef.js" in second.kept
    assert published(two).items() <= shown(host.shown).items()

    rollback(word)
    assert published(one).items() <= shown(host.shown).items()
    rollback(word)
    assert published(two).items() <= shown(host.shown).items()


@pytest.mark.parametrize("word", PLACES)
def test_what_a_deploy_keeps_for_itself_is_not_published(
    host: StandIn, tmp_path: Path, word: str
) -> None:
    for name in "one", "two":
        deploy(make_site(tmp_path / name, name), word)
    assert [path.name for path in host.shown.rglob("*") if path.name.startswith(".")] == []


@pytest.mark.parametrize(
    ("word", "words"),
    [
        (
            "cloudflare-pages:flowers",
            ["pages", "deploy", "FOLDER", "--project-name=flowers"],
        ),
        (
            "cloudflare-pages:flowers#a/b",
            ["pages", "deploy", "FOLDER", "--project-name=flowers", "--branch=a/b"],
        ),
        ("netlify:flowers", ["deploy", "--prod", "--no-build", "--dir=FOLDER", "--site=flowers"]),
    ],
)
def test_a_tool_is_told_so_much_and_finds_no_project_around_it(
    host: StandIn, tmp_path: Path, word: str, words: list[str]
) -> None:
    outcome = deploy(make_site(tmp_path / "site", "one"), word)
    (call,) = host.calls
    assert call["words"][:-1] == words
    assert call["words"][-1].endswith(f"message=Deploy {outcome.version}")
    assert call["beside"] == []


@pytest.mark.parametrize("word", PLACES)
def test_a_dry_run_names_files_and_bytes_and_hands_nothing_over(
    host: StandIn, tmp_path: Path, word: str
) -> None:
    site = make_site(tmp_path / "site", "one")
    for _ in range(2):
        outcome = deploy(site, word, dry_run=True)
        assert {path: len(text) for path, text in published(site).items()} == outcome.sent
    assert host.calls == []
    deploy(site, word)
    assert deploy(site, word, dry_run=True).sent == {}


@pytest.mark.parametrize("word", PLACES)
@pytest.mark.parametrize("fault", ["fails", "fails-late"])
def test_what_a_tool_has_not_brought_counts_as_not_sent(
    host: StandIn, tmp_path: Path, word: str, fault: str
) -> None:
    one, two = make_site(tmp_path / "a", "one"), make_site(tmp_path / "b", "two")
    deploy(one, word)
    (host.home / fault).write_text("Error: the line is dead.\n", "utf-8")
    with pytest.raises(ToolchainError, match=r"could not deploy to .*: the line is dead; fix"):
        deploy(two, word)
    if fault == "fails":
        assert shown(host.shown) == published(one)
    (host.home / fault).unlink()

    # The history knows nothing of what failed, and the next run does all of it.
    with pytest.raises(BadInputError, match="has no former release"):
        rollback(word)
    assert "index.html" in deploy(two, word).sent
    assert published(two).items() <= shown(host.shown).items()
    rollback(word)
    assert published(one).items() <= shown(host.shown).items()


def test_a_rollback_that_fails_can_be_done_again(host: StandIn, tmp_path: Path) -> None:
    word = "netlify:flowers"
    one, two = make_site(tmp_path / "a", "one"), make_site(tmp_path / "b", "two")
    for site in one, two:
        deploy(site, word)
    (host.home / "fails").write_text("no\n", "utf-8")
    with pytest.raises(ToolchainError, match=": no; fix"):
        rollback(word)
    assert shown(host.shown)["index.html"] == "<!doctype html>two"
    (host.home / "fails").unlink()
    rollback(word)
    assert published(one).items() <= shown(host.shown).items()


def test_a_killed_deploy_leaves_nothing_that_counts(host: StandIn, tmp_path: Path) -> None:
    word = "cloudflare-pages:flowers"
    one, two = make_site(tmp_path / "a", "one"), make_site(tmp_path / "b", "two")
    deploy(one, word)
    killed = Mirror(("cloudflare-pages", "flowers"))
    (killed.begin() / "site" / "index.html").write_text("half", "utf-8")
    with pytest.raises(ToolchainError, match="another deploy from here to flowers is running"):
        deploy(two, word)
    killed._lock.release()  # as the system does
    deploy(two, word)
    rollback(word)
    assert published(one).items() <= shown(host.shown).items()
    drafts = [path for path in tmp_path.rglob("draft-*") if path.is_dir()]
    assert len(drafts) == 1


def test_the_same_again_is_handed_over_again(host: StandIn, tmp_path: Path) -> None:
    # Somebody may have changed the host by its own pages, which this machine cannot see.
    site = make_site(tmp_path / "site", "one")
    deploy(site, "netlify:flowers")
    (host.shown / "index.html").write_text("other", "utf-8")
    assert deploy(site, "netlify:flowers").sent == {}
    assert shown(host.shown) == published(site)
    assert len(host.calls) == 2


def test_releases_before_the_former_one_go_after_the_grace(host: StandIn, tmp_path: Path) -> None:
    word = "cloudflare-pages:flowers"
    weights = {}
    for day, name in enumerate(("one", "two", "three")):
        site = make_site(tmp_path / name, name)
        weights[name] = next(path for path in published(site) if path.startswith("model/"))
        deploy(site, word, now=BEGIN + day * DAY, grace=5 * DAY)
    assert set(weights.values()) <= set(shown(host.shown))
    later = deploy(make_site(tmp_path / "four", "four"), word, now=BEGIN + 30 * DAY, grace=5 * DAY)
    assert set(later.removed) == {weights["one"], weights["two"]}
    assert weights["three"] in shown(host.shown)
    assert weights["one"] not in shown(host.shown)


def test_places_do_not_share_their_history(host: StandIn, tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", "one")
    words = (*PLACES, "cloudflare-pages:flowers#main", "cloudflare-pages:other")
    for word in words:
        assert set(deploy(site, word).sent) == set(published(site))
    assert len(host.calls) == len(words)


def test_limits_hold_before_a_tool_is_called(
    host: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, two = make_site(tmp_path / "a", "one"), make_site(tmp_path / "b", "two")
    small = hosts.Host("H", reads_headers_file=True, files=len(published(one)))
    monkeypatch.setattr("toolchain.deployment.vendor_cli.NETLIFY", small)
    deploy(one, "netlify:flowers")
    with pytest.raises(BadInputError, match=r"with the former releases .* smaller --grace"):
        deploy(two, "netlify:flowers")
    assert len(host.calls) == 1


def test_no_secret_is_ever_shown(
    host: StandIn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: Any
) -> None:
    monkeypatch.setenv("TOOLCHAIN_DEBUG", "1")
    (host.home / "fails").write_text(f"\x1b[31mError:\x1b[0m {TOKEN} is refused\n", "utf-8")
    with pytest.raises(ToolchainError, match=r": \*\*\* is refused; fix"):
        deploy(make_site(tmp_path / "site", "one"), "netlify:flowers")
    assert capfd.readouterr().err.split("\n")[:2] == ["token ***", "Error: *** is refused"]


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("cloudflare-pages:flowers", "needs wrangler; `npm install --global wrangler`"),
        ("netlify:flowers", "needs netlify; `npm install --global netlify-cli`"),
    ],
)
def test_a_tool_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, word: str, sentence: str
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingToolError, match=sentence):
        deploy(make_site(tmp_path / "site", "one"), word)


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("cloudflare-pages:flowers", CloudflarePagesTarget),
        ("cloudflare-pages:flowers#next", CloudflarePagesTarget),
        ("netlify:flowers.example.org", NetlifyTarget),
    ],
)
def test_a_place_is_known_by_its_name(word: str, kind: type[OwnToolTarget]) -> None:
    target = parse(word)
    assert isinstance(target, kind)
    assert target.name == word


@pytest.mark.parametrize(
    ("word", "sentence"),
    [
        ("cloudflare-pages:", "names no project; write cloudflare-pages:PROJECT"),
        ("cloudflare-pages:../x", "names no project"),
        ("cloudflare-pages:flowers#", "names no branch"),
        ("cloudflare-pages:flowers#--x", "names no branch"),
        ("netlify:--prod", "names no site; write netlify:SITE"),
        ("netlify:flowers#next", "Netlify has no branches"),
    ],
)
def test_what_is_no_place_is_a_sentence(word: str, sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        parse(word)


# -- their side, with the real tools ----------------------------------------------------------


@pytest.fixture(params=["wrangler", "netlify"])
def real(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[str, Service]]:
    """Give a place on a service of loopback that the real tool deploys to."""
    folder = host_services.installed(request.param)
    if folder is None:
        pytest.skip(
            f"needs {request.param} on the path or in ${host_services.TOOLS} (by npm; it is large)"
        )
    monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
    monkeypatch.setenv("HOME", str(tmp_path))
    services: dict[str, Callable[..., Any]] = {
        "wrangler": host_services.cloudflare_pages,
        "netlify": host_services.netlify,
    }
    with services[request.param]("flowers") as service:
        for name, value in {
            "CLOUDFLARE_API_BASE_URL": service.address,
            "CLOUDFLARE_ACCOUNT_ID": host_services.ACCOUNT,
            "CLOUDFLARE_API_TOKEN": TOKEN,
            "WRANGLER_SEND_METRICS": "false",
            "NETLIFY_API_URL": f"{service.address}/api/v1",
            "NETLIFY_AUTH_TOKEN": TOKEN,
            "NETLIFY_TELEMETRY_DISABLED": "1",
        }.items():
            monkeypatch.setenv(name, value)
        yield {"wrangler": PLACES[0], "netlify": PLACES[1]}[request.param], service


def test_the_real_tool_brings_a_site_back_and_forth_and_nothing_twice(
    real: tuple[str, Service], tmp_path: Path
) -> None:
    word, service = real
    one, two = make_site(tmp_path / "a", "one"), make_site(tmp_path / "b", "two")
    deploy(one, word)
    files = {path: text for path, text in published(one).items() if path != "_headers"}
    assert {path: service.text(path) for path in files} == files
    assert not [path for path in service.shown if path.startswith(".toolchain")]
    # Netlify's tool sends the rules of `_headers` as a part of its own configuration.
    assert "X-A" in (service.headers or service.text("netlify.toml"))

    deploy(two, word)
    assert service.text("index.html") == "<!doctype html>two"
    before = len(service.uploaded)
    rollback(word)
    assert service.text("index.html") == "<!doctype html>one"
    assert len(service.uploaded) == before, "the host has had all of it"
    assert len(service.uploaded) == len(set(service.uploaded))


def test_the_real_tool_says_why_it_failed_and_succeeds_the_next_time(
    real: tuple[str, Service], tmp_path: Path
) -> None:
    word, service = real
    one, two = make_site(tmp_path / "a", "one"), make_site(tmp_path / "b", "two")
    deploy(one, word)
    service.refuses = True
    with pytest.raises(ToolchainError, match="refused") as raised:
        deploy(two, word)
    assert TOKEN not in str(raised.value)
    assert service.text("index.html") == "<!doctype html>one"
    service.refuses = False
    deploy(two, word)
    assert service.text("index.html") == "<!doctype html>two"
