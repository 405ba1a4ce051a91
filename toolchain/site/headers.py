"""The HTTP headers of each file of a site.

`toolchain serve`, the site's `_headers`, the examples for nginx and Caddy and the uploads to a
bucket all use this table. Cache-Control follows RFC 9111 and RFC 8246, the policies follow
Content Security Policy Level 3 and Permissions Policy, and what other sites may read follows the
Fetch standard.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

from toolchain.records.site_files import COMPONENT, TEACHING_MODULE
from toolchain.site.origins import NOBODY, Origins

HASHED: Final = r"(?:\.[0-9a-f]{16}|-[A-Za-z0-9_-]{8})\.[A-Za-z0-9]+$"
"""A regular expression for the end of a name with its content's hash: 16 hexadecimal digits
(toolchain) or 8 characters of base 64 (Vite). Python, PCRE (nginx) and RE2 (Caddy) all read it
alike."""

SHARED: Final = rf"{HASHED}|(?:^|/)(?:{'|'.join(map(re.escape, (*COMPONENT, TEACHING_MODULE)))})$"
"""A regular expression for the files that pages of other origins load: those of the component, and
those that `tagger.json` names, which bear a hash. Python, PCRE and RE2 read it alike."""

EXPOSED: Final = "Content-Range"
"""The header that a page of another origin has to read to resume a download."""

IMMUTABLE: Final = "public, max-age=31536000, immutable"
REVALIDATED: Final = "no-cache"
SERVICE_WORKER: Final = "public, max-age=300"
"""For this long a returning visitor's browser sends no request and may miss a new version."""

CONTENT_TYPES: Final = {
    ".apng": "image/apng",
    ".avif": "image/avif",
    ".bin": "application/octet-stream",
    ".bmp": "image/bmp",
    ".css": "text/css; charset=utf-8",
    ".csv": "text/csv; charset=utf-8",
    ".gif": "image/gif",
    ".heic": "image/heic",
    ".htm": "text/html; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".ico": "image/vnd.microsoft.icon",
    ".jpeg": "image/jpeg",
    ".jpg": "image/jpeg",
    ".js": "text/javascript; charset=utf-8",
    ".json": "application/json",
    ".jxl": "image/jxl",
    ".map": "application/json",
    ".md": "text/markdown; charset=utf-8",
    ".mjs": "text/javascript; charset=utf-8",
    ".mp3": "audio/mpeg",
    ".mp4": "video/mp4",
    ".ogg": "audio/ogg",
    ".otf": "font/otf",
    ".pdf": "application/pdf",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".ts": "text/plain; charset=utf-8",
    ".ttf": "font/ttf",
    ".txt": "text/plain; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".wasm": "application/wasm",
    ".wav": "audio/wav",
    ".webm": "video/webm",
    ".webmanifest": "application/manifest+json",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xml": "application/xml",
}
"""Media types by suffix, in lower case: of files that a build writes or a template may bring.
Browsers run modules and compile WebAssembly while it downloads only if the type is right."""

PAGES_AND_SCRIPTS: Final = (".html", ".htm", ".js", ".mjs")
"""Suffixes of the files that get the page's policies."""

_POLICY = {
    "default-src": "'none'",
    # TF.js' kernels are WebAssembly; no JavaScript is evaluated from text.
    "script-src": "'self' 'wasm-unsafe-eval'",
    "style-src": "'self'",
    # Photos that the visitor gives are shown from memory.
    "img-src": "'self' blob: data:",
    "connect-src": "'self'",
    "worker-src": "'self'",
    "manifest-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
}
_ANYWHERE = "https: http: data:"


def content_security_policy(*, photos_by_address: bool = True) -> str:
    """Return the page's policy, without the directives that work in a header only.

    Args:
        photos_by_address: Whether the page may fetch a photo from any address that a visitor
            enters.
    """
    policy = dict(_POLICY)
    if photos_by_address:
        policy["connect-src"] += f" {_ANYWHERE}"
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


_OF_EVERY_FILE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_OF_THE_PAGE = {
    # A stricter page has a meta element with its own policy; browsers apply both.
    "Content-Security-Policy": content_security_policy(),
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
_OF_THE_REPORT = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
}


def cache_control(path: str) -> str:
    """Return the Cache-Control header of a file.

    Args:
        path: Path of the file in the site, such as `assets/page-Cf3xYz01.js`.
    """
    if re.search(HASHED, path):
        return IMMUTABLE
    return SERVICE_WORKER if path == "sw.js" else REVALIDATED


def content_type(path: str) -> str:
    """Return the media type of a file of the site, by its name."""
    return CONTENT_TYPES.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")


def security(path: str, origins: Origins = NOBODY) -> dict[str, str]:
    """Return the security headers of a file.

    Scripts have the page's policy too, because a worker obeys the policy of its own script.

    Args:
        path: Path of the file in the site.
        origins: Which other sites may show the page in a frame.
    """
    if path == "report.html":
        return _OF_EVERY_FILE | _OF_THE_REPORT
    if path.lower().endswith(PAGES_AND_SCRIPTS):
        found = _OF_EVERY_FILE | _OF_THE_PAGE
        ancestors = " ".join(("'self'", *origins.frame_ancestors))
        found["Content-Security-Policy"] += f"; frame-ancestors {ancestors}"
        return found
    return dict(_OF_EVERY_FILE)


def sharing(path: str, origins: Origins, asking: str | None = None) -> dict[str, str]:
    """Return the headers by which pages of other origins may read a file.

    Args:
        path: Path of the file in the site.
        origins: Which origins may.
        asking: The origin of the page that asks; None where it is not known. The header names one
            origin, so where several are allowed, only an answer to one of them has it.
    """
    if not origins.cors or not re.search(SHARED, path):
        return {}
    found = {"Vary": "Origin"} if origins.vary else {}
    allowed = asking if origins.vary else origins.cors[0]
    if allowed in origins.cors:
        found |= {"Access-Control-Allow-Origin": allowed, "Access-Control-Expose-Headers": EXPOSED}
    return found


def headers(path: str, origins: Origins = NOBODY, asking: str | None = None) -> dict[str, str]:
    """Return all headers of a file except those for its length and encoding.

    Args:
        path: Path of the file in the site; the page's is `index.html`.
        origins: Which other sites may use the site.
        asking: The origin of the page that asks, as in :func:`sharing`.
    """
    return {
        "Content-Type": content_type(path),
        "Cache-Control": cache_control(path),
        **security(path, origins),
        **sharing(path, origins, asking),
    }
