"""The one table of HTTP headers: which file is sent with which.

`toolchain serve`, the site's `_headers`, the examples for nginx and Caddy and the uploads to
a bucket all go by it. Cache-Control follows RFC 9111 and RFC 8246, the policies Content
Security Policy Level 3 and Permissions Policy.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath
from typing import Final

HASHED: Final = r"(?:\.[0-9a-f]{16}|-[A-Za-z0-9_-]{8})\.[A-Za-z0-9]+$"
"""What the end of a name that holds its content's hash is like, as a regular expression that
Python, PCRE (nginx) and RE2 (Caddy) read alike: this tool's are 16 hexadecimal digits, Vite's
8 of base 64."""

IMMUTABLE: Final = "public, max-age=31536000, immutable"
REVALIDATED: Final = "no-cache"
SERVICE_WORKER: Final = "public, max-age=300"
"""As long may a visitor who comes back not hear of a new version, and ask for nothing."""

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
"""By the end of the name in lower case: what a build writes, and what templates may bring. Browsers
run modules and compile WebAssembly as it comes only if the type says so."""

PAGES_AND_SCRIPTS: Final = (".html", ".htm", ".js", ".mjs")
"""The ends of names whose files have the page's policies."""

_POLICY = {
    "default-src": "'none'",
    # TF.js' kernels are WebAssembly; nothing is evaluated.
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
    """Return the policy of the page, without what only a header may say.

    Args:
        photos_by_address: Whether the page may fetch a photo from an address that its
            visitor gives, which may be anywhere.
    """
    policy = dict(_POLICY)
    if photos_by_address:
        policy["connect-src"] += f" {_ANYWHERE}"
    return "; ".join(f"{directive} {sources}" for directive, sources in policy.items())


_OF_EVERY_FILE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}
_OF_THE_PAGE = {
    # A page that may do less says so in a meta element, and browsers hold both policies.
    "Content-Security-Policy": f"{content_security_policy()}; frame-ancestors 'self'",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
}
_OF_THE_REPORT = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
}


def cache_control(path: str) -> str:
    """Return how long a file may be kept.

    Args:
        path: Of the file in the site, such as `assets/page-Cf3xYz01.js`.
    """
    if re.search(HASHED, path):
        return IMMUTABLE
    return SERVICE_WORKER if path == "sw.js" else REVALIDATED


def content_type(path: str) -> str:
    """Return the media type of a file of the site, by its name."""
    return CONTENT_TYPES.get(PurePosixPath(path).suffix.lower(), "application/octet-stream")


def security(path: str) -> dict[str, str]:
    """Return what a file's headers say about what it may do.

    A worker goes by the policy of its own script, hence scripts have the page's too.
    """
    if path == "report.html":
        return _OF_EVERY_FILE | _OF_THE_REPORT
    if path.lower().endswith(PAGES_AND_SCRIPTS):
        return _OF_EVERY_FILE | _OF_THE_PAGE
    return dict(_OF_EVERY_FILE)


def headers(path: str) -> dict[str, str]:
    """Return all headers of a file but those of its length and encoding.

    Args:
        path: Of the file in the site; that of the page is `index.html`.
    """
    return {
        "Content-Type": content_type(path),
        "Cache-Control": cache_control(path),
        **security(path),
    }
