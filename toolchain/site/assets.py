"""Copies the files that a user's template asks for into the site.

Files that a style sheet names are copied with it, and its URLs are rewritten to their names in
the site. Nothing else is copied, so notes and sources beside a template are not published.
"""

from __future__ import annotations

import difflib
import posixpath
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, unquote

from toolchain.site.files import write_named

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FOLDER = "own"
"""The folder in the site that they are copied to."""

_COMMENT = r"/\*.*?\*/"
_NAMED = r"""url\(\s*(?:"(?P<u1>[^"]*)"|'(?P<u2>[^']*)'|(?P<u3>[^\s"')]+))\s*\)"""
_IMPORTED = r"""(?P<rule>@import\s+)(?:"(?P<i1>[^"]*)"|'(?P<i2>[^']*)')"""
_ADDRESSES = re.compile(f"{_COMMENT}|{_NAMED}|{_IMPORTED}", re.DOTALL)
_GROUPS = ("u1", "u2", "u3", "i1", "i2")
_PARTS = re.compile(r"^([^?#]*)([?#]?)(.*)$", re.DOTALL)
# Addresses to leave as they are: with a scheme or a host, from the root, or within the same file.
_ELSEWHERE = re.compile(r"(?:[A-Za-z][\w+.-]*:|/|#|$)")


class AssetError(ValueError):
    """A file that a template or style sheet asks for cannot be used; says which and why."""


class Assets:
    """Writes files of a template's folder into a site, each once.

    Args:
        folder: The template's folder.
        site: Where to write.
    """

    def __init__(self, folder: Path, site: Path) -> None:
        self._folder = folder
        self._site = site
        self._urls: dict[str, str] = {}
        self._under_way: list[str] = []

    @property
    def urls(self) -> list[str]:
        """URLs of all files that were asked for, relative to the page."""
        return list(self._urls.values())

    def url(self, name: str) -> str:
        """Return a file's URL relative to the page, for a template.

        Args:
            name: Its path in the template's folder, with `/` between the parts.

        Raises:
            AssetError: There is no such file, or it is not to be published.
        """
        name = posixpath.normpath(name)
        if name not in self._urls:
            if name in self._under_way:
                raise AssetError(f"{name} imports itself; remove one of the imports")
            path = self._path(name)
            content = path.read_bytes()
            if path.suffix == ".css":
                self._under_way.append(name)
                content = self._with_urls(name, content)
                self._under_way.remove(name)
            self._urls[name] = write_named(self._site, f"{FOLDER}/{name}", content)
        return self._urls[name]

    def _path(self, name: str) -> Path:
        path = self._folder / name
        if name.startswith(("/", "..")) or not path.resolve().is_relative_to(
            self._folder.resolve()
        ):
            raise AssetError(f"{name} lies outside of {self._folder}; copy it there")
        if name.endswith(".j2") or any(part.startswith(".") for part in name.split("/")):
            raise AssetError(
                f"{name} is a template or a hidden file, which are not published; rename it"
            )
        if not path.is_file():
            near = difflib.get_close_matches(name, self._files(), 1)
            hint = f"did you mean {near[0]}?" if near else "put it there"
            raise AssetError(f"there is no {name} in {self._folder}; {hint}")
        return path

    def _files(self) -> Iterator[str]:
        for path in self._folder.rglob("*"):
            if path.is_file():
                yield path.relative_to(self._folder).as_posix()

    def _with_urls(self, name: str, content: bytes) -> bytes:
        """Rewrite a style sheet's URLs to the files' names in the site."""
        here = posixpath.dirname(name)

        def named(match: re.Match[str]) -> str:
            found = match.groupdict()
            address = next((found[group] for group in _GROUPS if found[group] is not None), "")
            if _ELSEWHERE.match(address):
                return match[0]
            file, mark, part = _PARTS.findall(address)[0]
            try:
                url = self.url(posixpath.join(here, unquote(file)))
            except AssetError as error:
                raise AssetError(f"{name} names {address}: {error}") from None
            relative = posixpath.relpath(url, quote(posixpath.join(FOLDER, here)))
            return f'{found["rule"] or ""}url("{relative}{mark}{part}")'

        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise AssetError(f"{name} is not UTF-8 text; save it as UTF-8") from error
        return _ADDRESSES.sub(named, text).encode()
