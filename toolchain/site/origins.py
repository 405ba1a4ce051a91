"""Which other sites may use a built site: read its files, or show its page in a frame.

An origin is a scheme, a host and a port, as RFC 6454 writes it: `https://app.example.org`. The
headers that say so are those of the Fetch standard (Access-Control-Allow-Origin) and of Content
Security Policy Level 3 (frame-ancestors).
"""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema

ANY = "*"
_DEFAULT_PORTS = {"http": "80", "https": "443"}
# Only these characters, because the origin is written into configurations of servers.
_ORIGIN = r"^(https?)://([a-z0-9_-]+(?:\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?$"


def _origin(text: object) -> str:
    """Return an origin as browsers write it: in lower case, without the scheme's own port."""
    match = re.match(_ORIGIN, text.lower()) if isinstance(text, str) else None
    if match is None:
        raise ValueError(
            f"{text!r} is not an origin; write scheme, host and port only, like "
            "https://app.example.org or http://localhost:3000"
        )
    scheme, host, port = match.groups()
    own = port is None or port == _DEFAULT_PORTS[scheme]
    return f"{scheme}://{host}" if own else f"{scheme}://{host}:{port}"


def _reader(text: object) -> str:
    return ANY if text == ANY else _origin(text)


def _one_or_many(given: object) -> object:
    if isinstance(given, (list, tuple)):
        return given
    return (given,)


def _alone(given: tuple[str, ...]) -> tuple[str, ...]:
    if ANY in given and len(given) > 1:
        raise ValueError(f"{ANY} allows every origin; give it alone, or leave it out")
    return tuple(dict.fromkeys(given))


def _schema(pattern: str) -> WithJsonSchema:
    item = {"type": "string", "pattern": pattern}
    return WithJsonSchema({"anyOf": [item, {"type": "array", "items": item}]})


class Origins(BaseModel):
    """The other sites that may use a built site; by default none."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    cors: Annotated[
        tuple[Annotated[str, BeforeValidator(_reader)], ...],
        BeforeValidator(_one_or_many),
        AfterValidator(_alone),
        _schema(r"^(\*|https?://.+)$"),
    ] = ()
    """Origins of the pages that may load the model by tagger.js, such as
    https://app.example.org; * for all."""
    frame_ancestors: Annotated[
        tuple[Annotated[str, BeforeValidator(_origin)], ...],
        BeforeValidator(_one_or_many),
        AfterValidator(_alone),
        _schema("^https?://.+$"),
    ] = ()
    """Origins of the pages that may show the page in a frame, and exchange messages with it.
    Pages of the site's own origin may show it in any case."""

    @property
    def vary(self) -> bool:
        """Whether the answer depends on who asks: the header names one origin only."""
        return len(self.cors) > 1


NOBODY = Origins()
