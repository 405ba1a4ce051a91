"""Deploying to real hosts: rsync to an OpenSSH server, a bare git repository, an S3 service."""

from __future__ import annotations

import getpass
import gzip
import json
import os
import shutil
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests import web_servers
from tests.test_deploy import expected, make_site, shown
from toolchain.deployment import hosts, servers, stage
from toolchain.deployment.address import parse
from toolchain.deployment.branch import BranchTarget
from toolchain.deployment.bucket import BucketTarget
from toolchain.deployment.folder import FolderTarget
from toolchain.deployment.release import of_site
from toolchain.deployment.remote import RemoteTarget
from toolchain.errors import BadInputError, ToolchainError
from toolchain.progress import Silent
from toolchain.site.origins import Origins

if TYPE_CHECKING:
    from collections.abc import Iterator

    from toolchain.deployment.target import Target

BUCKET = "sites"


def deploy(site: Path, target: Target, **options: Any) -> stage.Outcome:
    return stage.deploy(site, target, progress=Silent(), **options)


def rollback(target: Target) -> stage.Outcome:
    return stage.rollback(target, progress=Silent())


# -- rsync over SSH ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def ssh_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Run an OpenSSH server on loopback; return what rsync shall reach it by."""
    sshd = shutil.which("sshd") or "/usr/sbin/sshd"
    if not Path(sshd).is_file() or shutil.which("rsync") is None:
        pytest.skip("needs Debian's openssh-server and rsync, which `make test` installs as root")
    folder = tmp_path_factory.mktemp("ssh")
    for name in ("host", "user"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True
        )
    short = tmp_path_factory.getbasetemp().parent  # a socket's path has few characters
    config = folder / "sshd_config"

    def command(port: int) -> list[str | Path]:
        config.write_text(
            f"ListenAddress 127.0.0.1:{port}\nHostKey {folder}/host\nPidFile none\n"
            f"AuthorizedKeysFile {folder}/user.pub\nStrictModes no\nUsePAM no\n"
            "PasswordAuthentication no\nPermitRootLogin prohibit-password\n",
            "utf-8",
        )
        return [sshd, "-D", "-e", "-f", config]

    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    with web_servers.running(command) as port:
        yield (
            f"ssh -p {port} -i {folder}/user -o StrictHostKeyChecking=no -o BatchMode=yes "
            f"-o UserKnownHostsFile={folder}/known -o LogLevel=ERROR "
            f"-o ControlMaster=auto -o ControlPath={short}/%C -o ControlPersist=5"
        )


@pytest.fixture
def remote(ssh_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("RSYNC_RSH", ssh_server)
    return f"{getpass.getuser()}@127.0.0.1:{tmp_path}/srv/web"


def test_rsync_brings_a_site_to_an_ssh_server_and_back(remote: str, tmp_path: Path) -> None:
    root = tmp_path / "srv" / "web"
    one, two = make_site(tmp_path / "a", "one"), make_site(tmp_path / "b", "two")
    first = deploy(one, RemoteTarget(remote))
    assert shown(root) == expected(one)
    assert set(first.sent) == set(expected(one))

    second = deploy(two, RemoteTarget(remote))
    assert "assets/shared.0123456789abcdef.js" in second.kept
    assert expected(two).items() <= shown(root).items()

    rollback(RemoteTarget(remote))
    assert expected(one).items() <= shown(root).items()


def test_what_was_half_sent_is_sent_again_by_its_checksum(remote: str, tmp_path: Path) -> None:
    root = tmp_path / "srv" / "web"
    site = make_site(tmp_path / "site", "one")
    deploy(site, RemoteTarget(remote))
    (root / "sw.js").write_text("'own';", "utf-8")  # as long as the right one
    assert list(deploy(site, RemoteTarget(remote)).sent) == ["sw.js"]
    assert shown(root) == expected(site)


def test_outdated_files_are_removed_over_rsync(remote: str, tmp_path: Path) -> None:
    root = tmp_path / "srv" / "web"
    target = RemoteTarget(remote)
    deploy(make_site(tmp_path / "site", "one"), target)
    gone = next(path for path in shown(root) if path.endswith(".bin"))
    target.remove([gone, "never/was.js"])
    assert gone not in shown(root)
    assert "index.html" in shown(root)


def test_a_server_that_refuses_is_a_sentence(
    ssh_server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RSYNC_RSH", f"{ssh_server} -l nobody-at-all")
    with pytest.raises(ToolchainError, match=r"cannot be deployed to: .*; fix that"):
        deploy(make_site(tmp_path / "site", "one"), RemoteTarget("127.0.0.1:/srv"))


# -- git --------------------------------------------------------------------------------------


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    bare = tmp_path / "bare.git"
    subprocess.run(["git", "init", "--quiet", "--bare", bare], check=True)
    return bare


def published(repository: Path, folder: Path, branch: str = "gh-pages") -> dict[str, str]:
    """Return what a host shows of a branch."""
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run(["git", "clone", "-q", "-b", branch, repository, folder], check=True)
    return {path: text for path, text in shown(folder).items() if not path.startswith(".")}


def test_a_branch_gets_a_site_as_one_commit_and_goes_back(repository: Path, tmp_path: Path) -> None:
    one, two = make_site(tmp_path / "a", "one"), make_site(tmp_path / "b", "two")
    deploy(one, BranchTarget(str(repository)))
    # GitHub Pages compresses by itself, and sends no neighbour.
    plain = {path: text for path, text in expected(one).items() if path[-3:] not in (".br", ".gz")}
    assert published(repository, tmp_path / "seen") == plain
    assert (tmp_path / "seen" / ".nojekyll").is_file()

    deploy(two, BranchTarget(str(repository)))
    assert published(repository, tmp_path / "seen")["index.html"] == "<!doctype html>two"
    log = ["git", "-C", str(repository), "rev-list", "--count", "gh-pages"]
    assert subprocess.run(log, capture_output=True, text=True, check=True).stdout == "2\n"

    rollback(BranchTarget(str(repository)))
    assert plain.items() <= published(repository, tmp_path / "seen").items()


def test_a_deploy_of_the_same_makes_no_commit(repository: Path, tmp_path: Path) -> None:
    site = make_site(tmp_path / "site", "one")
    for _ in range(2):
        deploy(site, BranchTarget(str(repository), "pages"))
    log = ["git", "-C", str(repository), "rev-list", "--count", "pages"]
    assert subprocess.run(log, capture_output=True, text=True, check=True).stdout == "1\n"


def test_a_repository_that_is_not_there_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match="git could not deploy to branch gh-pages"):
        deploy(make_site(tmp_path / "site", "one"), BranchTarget(str(tmp_path / "none.git")))


# -- a bucket ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    """Run an S3 service on loopback; return its address."""
    from moto.server import ThreadedMotoServer

    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_EC2_METADATA_DISABLED": "true",
        }.items():
            patch.setenv(name, value)
        server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
        server.start()
        host, port = server.get_host_and_port()
        yield f"http://{host}:{port}"
        server.stop()


@pytest.fixture
def bucket(s3: str) -> Any:
    import boto3

    service = boto3.resource("s3", endpoint_url=s3)
    bucket = service.Bucket(BUCKET)
    bucket.create()
    yield bucket
    bucket.objects.delete()
    bucket.delete()
    service.meta.client.close()


def real_site(folder: Path, word: str) -> Path:
    """Write a site whose compressed neighbours are real ones."""
    site = make_site(folder, word)
    for file in site.rglob("*.gz"):
        file.write_bytes(gzip.compress(file.with_suffix("").read_bytes(), mtime=0))
    return site


def test_a_bucket_gets_types_cache_headers_and_encodings(
    s3: str, bucket: Any, tmp_path: Path
) -> None:
    site = real_site(tmp_path / "site", "one")
    deploy(site, BucketTarget(BUCKET, "demo", s3))
    facts = {entry.key: entry.Object() for entry in bucket.objects.all() if "/." not in entry.key}
    plain = of_site(site, hosts.BUCKET).files
    assert set(facts) == {f"demo/{path}" for path in plain}

    page = facts["demo/index.html"]
    assert (page.content_type, page.cache_control) == ("text/html; charset=utf-8", "no-cache")
    assert page.content_encoding is None
    weights = next(fact for key, fact in facts.items() if key.endswith(".bin"))
    assert weights.content_encoding == "gzip"
    assert weights.cache_control == "public, max-age=31536000, immutable"
    assert gzip.decompress(weights.get()["Body"].read()) == b"one"


def test_a_bucket_takes_its_configuration_for_other_origins(bucket: Any) -> None:
    origins = Origins(cors=("https://app.example.org", "https://two.example.org"))
    text = servers.configuration("bucket", root="", address="", origins=origins)
    bucket.Cors().put(CORSConfiguration=json.loads(text))
    (rule,) = bucket.Cors().cors_rules
    assert rule["AllowedOrigins"] == list(origins.cors)
    assert rule["AllowedMethods"] == ["GET", "HEAD"]
    with pytest.raises(BadInputError, match="needs no configuration; build it with --cors"):
        servers.configuration("bucket", root="", address="")


def test_a_bucket_keeps_what_it_has_and_goes_back(s3: str, bucket: Any, tmp_path: Path) -> None:
    one, two = real_site(tmp_path / "a", "one"), real_site(tmp_path / "b", "two")
    target = BucketTarget(BUCKET, "", s3)
    deploy(one, target)
    assert "assets/shared.0123456789abcdef.js" in deploy(two, target).kept
    assert bucket.Object("index.html").get()["Body"].read() == b"<!doctype html>two"
    rollback(target)
    assert bucket.Object("index.html").get()["Body"].read() == b"<!doctype html>one"


def test_objects_of_other_headers_are_put_again(s3: str, bucket: Any, tmp_path: Path) -> None:
    site = real_site(tmp_path / "site", "one")
    deploy(site, BucketTarget(BUCKET, "", s3))
    bucket.put_object(Key="sw.js", Body=b"'one';", ContentType="text/plain")
    assert list(deploy(site, BucketTarget(BUCKET, "", s3)).sent) == ["sw.js"]
    assert bucket.Object("sw.js").content_type == "text/javascript; charset=utf-8"


@pytest.mark.usefixtures("bucket")
def test_a_service_is_asked_for_nothing_that_only_aws_has(
    s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import boto3

    session, requests = boto3.Session(), []
    session.events.register("before-send.s3", lambda request, **_: requests.append(request))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", session)
    target = BucketTarget(BUCKET, "", s3)
    for day, word in enumerate(("one", "two", "three")):
        moment = datetime(2026, 1, 1 + 10 * day, tzinfo=timezone.utc)
        outcome = deploy(real_site(tmp_path / word, word), target, now=moment)
    assert outcome.removed
    assert {"PUT", "DELETE"} <= {request.method for request in requests}
    for request in requests:
        names = {name.lower() for name in request.headers}
        assert not any("checksum" in name for name in names), request.url
        assert ("content-md5" in names) == (request.method == "PUT")
        assert "?delete" not in request.url


@pytest.mark.usefixtures("bucket")
def test_a_bucket_that_is_not_there_is_a_sentence(s3: str, tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"s3://none cannot be deployed to: .*bucket"):
        deploy(make_site(tmp_path / "site", "one"), BucketTarget("none", "", s3))


def test_a_service_that_is_not_there_is_a_sentence(s3: str, tmp_path: Path) -> None:
    del s3  # for who one is
    with pytest.raises(ToolchainError, match="cannot be deployed to: Could not connect"):
        deploy(make_site(tmp_path / "site", "one"), BucketTarget("b", "", "http://127.0.0.1:9"))


# -- what a place is called --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kind", "name"),
    [
        ("/var/www/site", FolderTarget, "/var/www/site"),
        ("site", FolderTarget, "site"),
        ("me@example.org:/var/www", RemoteTarget, "me@example.org:/var/www"),
        ("host:folder", RemoteTarget, "host:folder"),
        ("host::module/folder", RemoteTarget, "host::module/folder"),
        ("rsync://host/module", RemoteTarget, "rsync://host/module"),
        ("s3://bucket/a/b/", BucketTarget, "s3://bucket/a/b"),
        ("git:../other.git#www", BranchTarget, "branch www of ../other.git"),
        ("git:me@host:repo.git", BranchTarget, "branch gh-pages of me@host:repo.git"),
    ],
)
def test_a_place_is_known_by_its_name(word: str, kind: type, name: str) -> None:
    target = parse(word)
    assert isinstance(target, kind)
    assert target.name == name


@pytest.mark.parametrize(
    ("word", "options", "sentence"),
    [
        ("ftp://host/x", {}, "not a place to deploy to; give a folder"),
        ("s3://", {}, "names no bucket"),
        ("git:#x", {}, "names no repository"),
        ("folder", {"endpoint": "http://x"}, "--endpoint is for buckets"),
        ("gh-pages", {}, "no git remote `origin`"),
    ],
)
def test_what_is_no_place_is_a_sentence(word: str, options: dict[str, Any], sentence: str) -> None:
    with pytest.raises(BadInputError, match=sentence):
        parse(word, **options)
