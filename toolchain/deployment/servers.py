"""Writes configuration for the user's server or bucket, from the site's table of headers."""

from __future__ import annotations

import json
from typing import Literal, get_args

from toolchain.errors import BadInputError
from toolchain.site import headers as table
from toolchain.site.origins import NOBODY, Origins

Server = Literal["nginx", "caddy", "bucket"]
SERVERS: tuple[Server, ...] = get_args(Server)

# One file of each kind in the table.
_PAGE, _SCRIPT, _OTHER, _REPORT = "index.html", "any.js", "any.bin", "report.html"


def configuration(
    server: Server, *, root: str, address: str, brotli: bool = True, origins: Origins = NOBODY
) -> str:
    """Return a configuration that serves a site as `toolchain serve` does.

    Args:
        server: The kind of server; for `bucket` the result is the bucket's CORS configuration, in
            JSON as `aws s3api put-bucket-cors` reads it, because objects cannot have such headers.
        root: The site's folder on the server.
        address: For nginx, the value of `listen`; for Caddy, the site's address, such as
            `example.org`, or `:8080` for plain HTTP.
        brotli: Whether the server can send `.br` files; nginx needs the module
            `brotli_static` for it.
        origins: Which other sites may use the site.

    Raises:
        BadInputError: A bucket needs no configuration, because no other origin may read the files.
    """
    if server == "nginx":
        return _nginx(root, address, origins, brotli=brotli)
    return _caddy(root, address, origins) if server == "caddy" else _bucket(origins)


def _bucket(origins: Origins) -> str:
    if not origins.cors:
        raise BadInputError(
            "the site lets no other origin read its files, so a bucket needs no configuration; "
            "build it with --cors ORIGIN if pages of other origins are to load its model"
        )
    rule = {
        "AllowedOrigins": list(origins.cors),
        "AllowedMethods": ["GET", "HEAD"],
        "AllowedHeaders": ["Range"],
        "ExposeHeaders": [table.EXPOSED],
    }
    return json.dumps({"CORSRules": [rule]}, indent=2) + "\n"


def _vary(origins: Origins) -> str:
    return "Accept-Encoding, Origin" if origins.vary else "Accept-Encoding"


def _nginx(root: str, address: str, origins: Origins, *, brotli: bool) -> str:
    """Return lines for nginx' `http` block, for a file such as /etc/nginx/conf.d/site.conf."""
    # Maps, because a location with its own headers would lose those of the server.
    varying = ("Cache-Control", "Content-Security-Policy", "Permissions-Policy")
    always = {name: value for name, value in table.security(_OTHER).items() if name not in varying}
    types = "\n".join(
        f"        {kind.partition(';')[0]} {suffix.removeprefix('.')};"
        for suffix, kind in table.CONTENT_TYPES.items()
    )
    page, report = table.security(_PAGE, origins), table.security(_REPORT)
    scripts = rf"\.({'|'.join(each[1:] for each in table.PAGES_AND_SCRIPTS)})$"
    texts = {kind.partition(";")[0] for kind in table.CONTENT_TYPES.values() if "charset" in kind}
    policy, permissions = page["Content-Security-Policy"], page["Permissions-Policy"]
    lines = [
        "map $uri $toolchain_cache_control {",
        f'    default "{table.cache_control(_PAGE)}";',
        f'    "/sw.js" "{table.cache_control("sw.js")}";',
        f'    "~{_nginx_quoted(table.HASHED)}" "{table.IMMUTABLE}";',
        "}",
        "map $uri $toolchain_policy {",
        '    default "";',
        f'    "/report.html" "{report["Content-Security-Policy"]}";',
        f'    "~*{scripts}" "{policy}";',
        "}",
        "map $uri $toolchain_permissions {",
        '    default "";',
        '    "/report.html" "";',
        f'    "~*{scripts}" "{permissions}";',
        "}",
        *_nginx_sharing(origins),
        "",
        "server {",
        f"    listen {address};",
        f'    root "{root}";',
        "    index index.html;",
        "    error_page 404 /404.html;",
        "    charset utf-8;",
        f"    charset_types {' '.join(sorted(texts))};",
        "    types {",
        types,
        "    }",
        "    default_type application/octet-stream;",
        "    gzip_static on;",
        *(["    brotli_static on;"] if brotli else []),
        "    add_header Cache-Control $toolchain_cache_control;",
        "    add_header Content-Security-Policy $toolchain_policy;",
        "    add_header Permissions-Policy $toolchain_permissions;",
        *(f'    add_header {name} "{value}";' for name, value in always.items()),
        *_NGINX_SHARED * bool(origins.cors),
        f'    add_header Vary "{_vary(origins)}";',
        r"    location ~ (^|/)\. { return 404; }",
        "}",
    ]
    return "\n".join(lines) + "\n"


_NGINX_SHARED = (
    "    add_header Access-Control-Allow-Origin $toolchain_readers;",
    "    add_header Access-Control-Expose-Headers $toolchain_exposed;",
)


def _nginx_sharing(origins: Origins) -> list[str]:
    """Return maps to the values of two headers; nginx leaves out headers without a value."""
    if not origins.cors:
        return []
    readers = "$toolchain_asking" if origins.vary else f'"{origins.cors[0]}"'
    asking = [
        "map $http_origin $toolchain_asking {",
        '    default "";',
        *(f'    "{origin}" "{origin}";' for origin in origins.cors),
        "}",
    ]
    return [
        *asking * origins.vary,
        "map $uri $toolchain_readers {",
        '    default "";',
        f'    "~{_nginx_quoted(table.SHARED)}" {readers};',
        "}",
        "map $toolchain_readers $toolchain_exposed {",
        f'    default "{table.EXPOSED}";',
        '    "" "";',
        "}",
    ]


def _nginx_quoted(pattern: str) -> str:
    # Inside quotes nginx takes a backslash literally, except before a quote.
    return pattern.replace('"', r"\"")


def _caddy(root: str, address: str, origins: Origins) -> str:
    """Return lines for a Caddyfile of Caddy 2."""
    always = table.security(_OTHER)
    page = {
        name: value
        for name, value in table.security(_SCRIPT, origins).items()
        if name not in always
    }
    report = table.security(_REPORT)["Content-Security-Policy"]
    lines = [
        f"{address} {{",
        f'    root * "{root}"',
        # Deferred, so that these headers replace those that the file server sets.
        *(
            f"    @{suffix.removeprefix('.')} path *{suffix}\n"
            + _deferred(f"@{suffix.removeprefix('.')}", "Content-Type", kind)
            for suffix, kind in table.CONTENT_TYPES.items()
        ),
        _deferred("/", "Content-Type", table.content_type(_PAGE)),
        f'    header ?Content-Type "{table.content_type("")}"',
        _deferred("*", "Vary", _vary(origins)),
        *(f'    header {name} "{value}"' for name, value in always.items()),
        f"    @hashed path_regexp {table.HASHED}",
        f"    @other not path_regexp {table.HASHED}",
        f'    header @hashed Cache-Control "{table.IMMUTABLE}"',
        f'    header @other Cache-Control "{table.cache_control(_PAGE)}"',
        f'    header /sw.js Cache-Control "{table.cache_control("sw.js")}"',
        "    @page {",
        f"        path / {' '.join(f'*{each}' for each in table.PAGES_AND_SCRIPTS)}",
        "        not path /report.html",
        "    }",
        *(f'    header @page {name} "{value}"' for name, value in page.items()),
        f'    header /report.html Content-Security-Policy "{report}"',
        *_caddy_sharing(origins),
        "    file_server {",
        "        precompressed br gzip",
        "        hide .*",
        "    }",
        "    handle_errors {",
        "        rewrite * /404.html",
        "        file_server",
        "    }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _caddy_sharing(origins: Origins) -> list[str]:
    lines = []
    for at, origin in enumerate(origins.cors):
        lines += [
            f"    @shared{at} {{",
            f"        path_regexp {table.SHARED}",
            *[f"        header Origin {origin}"] * origins.vary,
            "    }",
            f'    header @shared{at} Access-Control-Allow-Origin "{origin}"',
            f'    header @shared{at} Access-Control-Expose-Headers "{table.EXPOSED}"',
        ]
    return lines


def _deferred(matcher: str, name: str, value: str) -> str:
    return f'    header {matcher} {{\n        {name} "{value}"\n        defer\n    }}'
