"""Writes configuration for the user's own web server, from the site's table of headers."""

from __future__ import annotations

from typing import Literal, get_args

from toolchain.site import headers as table

Server = Literal["nginx", "caddy"]
SERVERS: tuple[Server, ...] = get_args(Server)

# One file of each kind in the table.
_PAGE, _SCRIPT, _OTHER, _REPORT = "index.html", "any.js", "any.bin", "report.html"


def configuration(server: Server, *, root: str, address: str, brotli: bool = True) -> str:
    """Return a configuration that serves a site as `toolchain serve` does.

    Args:
        server: The kind of server.
        root: The site's folder on the server.
        address: For nginx, the value of `listen`; for Caddy, the site's address, such as
            `example.org`, or `:8080` for plain HTTP.
        brotli: Whether the server can send `.br` files; nginx needs the module
            `brotli_static` for it.
    """
    return _nginx(root, address, brotli=brotli) if server == "nginx" else _caddy(root, address)


def _nginx(root: str, address: str, *, brotli: bool) -> str:
    """Return lines for nginx' `http` block, for a file such as /etc/nginx/conf.d/site.conf."""
    # Maps, because a location with its own headers would lose those of the server.
    varying = ("Cache-Control", "Content-Security-Policy", "Permissions-Policy")
    always = {name: value for name, value in table.security(_OTHER).items() if name not in varying}
    types = "\n".join(
        f"        {kind.partition(';')[0]} {suffix.removeprefix('.')};"
        for suffix, kind in table.CONTENT_TYPES.items()
    )
    page, report = table.security(_PAGE), table.security(_REPORT)
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
        "    add_header Vary Accept-Encoding;",
        r"    location ~ (^|/)\. { return 404; }",
        "}",
    ]
    return "\n".join(lines) + "\n"


def _nginx_quoted(pattern: str) -> str:
    # Inside quotes nginx takes a backslash literally, except before a quote.
    return pattern.replace('"', r"\"")


def _caddy(root: str, address: str) -> str:
    """Return lines for a Caddyfile of Caddy 2."""
    always = table.security(_OTHER)
    page = {name: value for name, value in table.security(_SCRIPT).items() if name not in always}
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
        _deferred("*", "Vary", "Accept-Encoding"),
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


def _deferred(matcher: str, name: str, value: str) -> str:
    return f'    header {matcher} {{\n        {name} "{value}"\n        defer\n    }}'
