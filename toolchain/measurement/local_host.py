"""Serves a site to the measuring browser, and counts the bytes sent."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toolchain.records.site_files import MARK
from toolchain.site.server import application, beside

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from toolchain.records.visit_figures import Host
    from toolchain.site.server import Wsgi

_POLICY = "content-security-policy"


@dataclass
class Served:
    """A site being served."""

    url: str = ""
    answers: list[tuple[str, int]] = field(default_factory=list)
    """Path and body length of every answer so far, in order."""


@contextmanager
def serving(site: Path, host: Host) -> Iterator[Served]:
    """Serve a folder on loopback.

    Args:
        site: A folder with an `index.html`.
        host: `toolchain` serves like `toolchain serve`, with compression; `plain` without.

    Raises:
        BadInputError: There is no site at that path.
    """
    served = Served()
    own = (site / MARK).is_file()
    app = _counted(application(site), served, encodings=host == "toolchain", policy=own)
    with beside(app) as served.url:
        yield served


def _counted(app: Wsgi, served: Served, *, encodings: bool, policy: bool) -> Wsgi:
    def counting(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if not encodings:
            environ.pop("HTTP_ACCEPT_ENCODING", None)

        def start(status: str, headers: list[tuple[str, str]], *rest: Any) -> Any:
            lengths = [int(value) for name, value in headers if name.lower() == "content-length"]
            served.answers.append((str(environ["PATH_INFO"]).lstrip("/"), sum(lengths)))
            if not policy:
                # Pages of other authors may need what the policy of toolchain's pages forbids.
                headers = [each for each in headers if each[0].lower() != _POLICY]
            return start_response(status, headers, *rest)

        return app(environ, start)

    return counting
