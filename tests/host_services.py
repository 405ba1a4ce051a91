"""Cloudflare Pages and Netlify on the loopback, as far as their own tools need, and stand-ins.

A service keeps files by their hashes and publishes a folder of them at once, as the real ones do.
It records uploads, so a test notices a file that is sent twice. If the tools are not installed, a
stand-in takes the same arguments and copies the folder.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flask import Flask, jsonify, request
from werkzeug.serving import make_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flask import Response

TOOLS = "TOOLCHAIN_HOST_TOOLS"
"""Environment variable: a folder with `wrangler` and `netlify`, if they are not on the path."""
TOKEN = "a-token-that-nobody-may-read"  # noqa: S105 - of loopback
ACCOUNT = "0123456789abcdef0123456789abcdef"
API = "/api/v1"
DEPLOYED = {"id": "d1", "url": "http://localhost/", "environment": "production"}


@dataclass
class Service:
    """The files of a host, and its requests."""

    address: str = ""
    refuses: bool = False
    """Whether the last step of a deploy fails, after all files were uploaded."""
    objects: dict[str, bytes] = field(default_factory=dict)
    """By their hashes, as the host computes them."""
    shown: dict[str, str] = field(default_factory=dict)
    """The hash of each file that visitors get, by its path."""
    headers: str = ""
    uploaded: list[str] = field(default_factory=list)

    def text(self, path: str) -> str:
        """Return the file that visitors get at a path."""
        return self.objects[self.shown[path]].decode()


@contextmanager
def _running(app: Flask, service: Service) -> Iterator[Service]:
    server = make_server("127.0.0.1", 0, app, threaded=True)
    service.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        thread.join()


def _signed_by_nobody(claims: dict[str, Any]) -> str:
    """Return a JSON Web Token; the tool reads its claims, and nothing checks its signature."""
    parts = (base64.urlsafe_b64encode(json.dumps(part).encode()) for part in ({}, claims))
    return ".".join([*(part.decode().rstrip("=") for part in parts), "x"])


def _cloudflare(result: Any) -> Response:
    return jsonify({"success": True, "errors": [], "messages": [], "result": result})


def _add_assets(app: Flask, service: Service) -> None:
    @app.post("/pages/assets/check-missing")
    def _missing() -> Response:
        return _cloudflare([key for key in request.json["hashes"] if key not in service.objects])

    @app.post("/pages/assets/upload")
    def _upload() -> Response:
        for entry in request.json or ():
            service.objects[entry["key"]] = base64.b64decode(entry["value"])
            service.uploaded.append(entry["key"])
        return _cloudflare(None)

    @app.post("/pages/assets/upsert-hashes")
    def _upsert() -> Response:
        return _cloudflare(True)


@contextmanager
def cloudflare_pages(project: str) -> Iterator[Service]:
    """Run the services that `wrangler pages deploy` needs, with one project."""
    app = Flask("cloudflare")
    service = Service()
    base = f"/accounts/{ACCOUNT}/pages/projects/{project}"
    _add_assets(app, service)

    @app.get(base)
    def _project() -> Response:
        configs: dict[str, Any] = {"production": {}, "preview": {}}
        return _cloudflare(
            {"name": project, "production_branch": "main", "deployment_configs": configs}
        )

    @app.get(f"{base}/upload-token")
    def _token() -> Response:
        claims = {"exp": 4_000_000_000, "max_file_count_allowed": 20_000}
        return _cloudflare({"jwt": _signed_by_nobody(claims)})

    @app.post(f"{base}/deployments")
    def _deploy() -> tuple[Response, int]:
        if service.refuses:
            error = {"code": 8_000_001, "message": "this deployment is refused"}
            return jsonify({"success": False, "errors": [error], "result": None}), 400
        manifest = json.loads(request.form["manifest"])
        service.shown = {path.removeprefix("/"): key for path, key in manifest.items()}
        service.headers = request.files["_headers"].read().decode()
        return _cloudflare(DEPLOYED | {"branch": request.form.get("branch")}), 200

    @app.get(f"{base}/deployments/<_>")
    def _deployment(_: str) -> Response:
        return _cloudflare(DEPLOYED | {"latest_stage": {"name": "deploy", "status": "success"}})

    with _running(app, service):
        yield service


def _add_account(app: Flask, about: dict[str, Any]) -> None:
    @app.get(f"{API}/sites/<_>")
    def _site(_: str) -> Response:
        return jsonify(about)

    @app.get(f"{API}/sites")
    def _sites() -> Response:
        return jsonify([about])

    @app.get(f"{API}/user")
    def _user() -> Response:
        return jsonify({"id": "u1", "email": "me@example.org"})

    @app.get(f"{API}/accounts")
    def _accounts() -> Response:
        return jsonify([{"slug": "me", "id": "a1"}])


@contextmanager
def netlify(site: str) -> Iterator[Service]:
    """Run the services that `netlify deploy` needs, with one site."""
    app = Flask("netlify")
    service = Service()
    coming: dict[str, str] = {}
    about = dict.fromkeys(("id", "site_id", "name"), site) | {
        **dict.fromkeys(("url", "ssl_url", "admin_url"), "http://localhost"),
        "account_slug": "me",
    }
    _add_account(app, about)

    @app.post(f"{API}/sites/<_>/deploys")
    def _begin(_: str) -> Response:
        return jsonify({"id": "d1", "site_id": site, "state": "new"})

    @app.put(f"{API}/sites/<_>/deploys/<deploy>")
    def _files(_: str, deploy: str) -> tuple[Response, int]:
        if service.refuses:
            return jsonify({"code": 422, "message": "this deploy is refused"}), 422
        coming.clear()
        coming.update({path.lstrip("/"): key for path, key in request.json["files"].items()})
        required = sorted(set(coming.values()) - service.objects.keys())
        return jsonify({**about, "id": deploy, "state": "uploading", "required": required}), 200

    @app.put(f"{API}/deploys/<_>/files/<path:path>")
    def _upload(_: str, path: str) -> Response:
        key = coming[path]
        service.objects[key] = request.get_data()
        service.uploaded.append(key)
        return jsonify({"id": key, "path": path})

    @app.get(f"{API}/sites/<_>/deploys/<deploy>")
    @app.get(f"{API}/deploys/<deploy>")
    def _state(deploy: str, _: str = "") -> Response:
        if set(coming.values()) <= service.objects.keys():
            service.shown = dict(coming)
        return jsonify({**about, "id": deploy, "state": "ready", "deploy_url": "http://localhost"})

    @app.post(f"{API}/deploys/<deploy>/cancel")
    def _cancel(deploy: str) -> Response:
        return jsonify({"id": deploy, "state": "error"})

    with _running(app, service):
        yield service


_STAND_IN = """#!{python}
import json, os, pathlib, shutil, sys
home = pathlib.Path({home!r})
words = sys.argv[1:]
print("token", os.environ.get("CLOUDFLARE_API_TOKEN") or os.environ.get("NETLIFY_AUTH_TOKEN"))
folder = next((word for word in words if word.startswith("/")), None)
folder = folder or next(word[6:] for word in words if word.startswith("--dir="))
told = [word if folder not in word else word.replace(folder, "FOLDER") for word in words]
with (home / "calls.jsonl").open("a") as calls:
    calls.write(json.dumps({{"words": told, "beside": os.listdir()}}) + "\\n")
if (home / "fails").exists():
    sys.exit((home / "fails").read_text())
shutil.rmtree(home / "shown", ignore_errors=True)
shutil.copytree(folder, home / "shown")
if (home / "fails-late").exists():
    sys.exit((home / "fails-late").read_text())
"""


@dataclass(frozen=True)
class StandIn:
    """Two commands called `wrangler` and `netlify`, and the host that both deploy to."""

    home: Path

    @property
    def commands(self) -> Path:
        """The folder of the commands, for `PATH`."""
        return self.home / "bin"

    @property
    def shown(self) -> Path:
        """The files that visitors get."""
        return self.home / "shown"

    @property
    def calls(self) -> list[dict[str, list[str]]]:
        """The arguments of each call, and the files in its folder."""
        log = self.home / "calls.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def stand_in(home: Path) -> StandIn:
    """Write the commands."""
    made = StandIn(home)
    made.commands.mkdir(parents=True)
    for name in "wrangler", "netlify":
        script = made.commands / name
        script.write_text(_STAND_IN.format(python=sys.executable, home=str(home)), "utf-8")
        script.chmod(0o755)
    return made


def installed(tool: str) -> Path | None:
    """Return the folder of a host's real tool, if this machine has it."""
    path = os.pathsep.join(filter(None, [os.environ.get(TOOLS), os.environ.get("PATH")]))
    found = shutil.which(tool, path=path)
    return Path(found).parent if found else None
