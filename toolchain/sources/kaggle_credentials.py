"""The user's Kaggle credentials, from the variables and files that Kaggle's own tools read."""

from __future__ import annotations

import json
import os
from pathlib import Path

import urllib3

from toolchain.errors import BadInputError


def headers() -> dict[str, str]:
    """Return the HTTP headers with the credentials; none if there are no credentials.

    The first of these counts: the token in KAGGLE_API_TOKEN, or in the file that it names; the
    token in ~/.kaggle/access_token; KAGGLE_USERNAME with KAGGLE_KEY; kaggle.json in
    KAGGLE_CONFIG_DIR or ~/.kaggle.

    Raises:
        BadInputError: The credentials cannot be read, or are not a token or a key.
    """
    home = Path("~/.kaggle").expanduser()
    if token := _token(home):
        if not (token.isascii() and token.isprintable()):
            raise BadInputError(
                "the token in KAGGLE_API_TOKEN or ~/.kaggle/access_token is not a Kaggle token; "
                "copy it again from Kaggle's settings"
            )
        return {"Authorization": f"Bearer {token}"}
    name, key = os.environ.get("KAGGLE_USERNAME"), os.environ.get("KAGGLE_KEY")
    file = Path(os.environ.get("KAGGLE_CONFIG_DIR") or home) / "kaggle.json"
    if not (name and key):
        if not file.is_file():
            return {}
        try:
            saved = json.loads(_read(file))
            name, key = saved["username"], saved["key"]
        except (ValueError, KeyError, TypeError) as error:
            raise BadInputError(
                f"{file} holds no username and key; download it again from Kaggle's settings, "
                "or remove it"
            ) from error
    return urllib3.make_headers(basic_auth=f"{name}:{key}")


def _token(home: Path) -> str | None:
    given = os.environ.get("KAGGLE_API_TOKEN", "").strip()
    if given and not _is_file(given):
        return given
    files = ([Path(given)] if given else []) + [home / "access_token", home / "access_token.txt"]
    tokens = (_read(file).strip() for file in files if file.is_file())
    return next(filter(None, tokens), None)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # a token may be too long for a file name
        return False


def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, UnicodeError) as error:
        raise BadInputError(
            f"{file} with your Kaggle credentials cannot be read ({error}); fix or remove it"
        ) from error
