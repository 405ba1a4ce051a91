"""The accent colour: a small style sheet that sets it, legible in light and in dark.

The page writes links in it and puts buttons, bars and frames on it. So that all of these can
be seen by everyone, it is made darker for the light theme and lighter for the dark one, as far
as it must be: hue and saturation stay. Contrast is that of WCAG 2.2, criteria 1.4.3 and 1.4.11.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

from PIL import ImageColor

RGB = tuple[int, int, int]
"""Red, green and blue of sRGB, 0…255."""

TEXT_CONTRAST = 4.5
"""What WCAG asks for between text and what is behind it."""

_NEARLY_BLACK = 0.04045  # of sRGB's values: below, light is in proportion to them
_STEP = 0.005  # of lightness, 0…1
_STRONGER = 0.09  # of lightness: how much further a button goes under the pointer


@dataclass(frozen=True)
class Theme:
    """What of a theme the accent has to go with; the colours of web/src/page/styles/theme.css."""

    name: str
    paper: RGB
    """Behind the page."""
    sheet: RGB
    """Behind its boxes."""
    away: int
    """To which side of the backgrounds an accent is: darker (-1) or lighter (1)."""
    wash: float
    """How much of the accent is in its wash, 0…1."""


LIGHT = Theme("light", (0xF6, 0xF4, 0xEF), (0xFF, 0xFE, 0xFB), away=-1, wash=0.16)
DARK = Theme("dark", (0x15, 0x18, 0x16), (0x1D, 0x21, 0x1F), away=1, wash=0.2)


def parse(text: str) -> RGB:
    """Read a colour as CSS writes it: `#b3261e`, `crimson`, `rgb(179, 38, 30)`, `hsl(3, 71%, 41%)`.

    Raises:
        ValueError: It is no such colour, or one that can be seen through.
    """
    try:
        red, green, blue, *alpha = ImageColor.getrgb(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is no colour; write it like #b3261e, crimson or rgb(179, 38, 30)"
        ) from None
    if alpha not in ([], [255]):
        raise ValueError(f"{text!r} can be seen through; give it without transparency")
    return red, green, blue


def contrast(one: RGB, other: RGB) -> float:
    """Return the contrast of two colours, 1…21, in either order."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: RGB) -> float:
    """Return WCAG's relative luminance, 0…1."""
    linear = [_linear(value / 255) for value in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _linear(part: float) -> float:
    """Return the light of an sRGB value, both 0…1."""
    return part / 12.92 if part <= _NEARLY_BLACK else ((part + 0.055) / 1.055) ** 2.4


def fitted(colour: RGB, theme: Theme) -> RGB:
    """Return the colour, or the nearest one that text can have in this theme."""
    shown, moved = colour, 0.0
    while min(contrast(shown, behind) for behind in (theme.paper, theme.sheet)) < TEXT_CONTRAST:
        moved += theme.away * _STEP
        # From the first colour each time, or rounding to bytes would turn the hue.
        shown = _lighter(colour, moved)
    return shown


def _lighter(colour: RGB, by: float) -> RGB:
    """Return a colour of another lightness and the same hue and saturation."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in colour))
    parts = colorsys.hls_to_rgb(hue, min(1.0, max(0.0, lightness + by)), saturation)
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue


def text_on(colour: RGB) -> RGB:
    """Return black or white, whichever reads better on a colour."""
    return max(((0, 0, 0), (255, 255, 255)), key=lambda text: contrast(text, colour))


@dataclass(frozen=True)
class Accent:
    """The accent as the user gave it; the dark theme's is made from the other if need be."""

    light: RGB
    dark: RGB | None = None

    def stylesheet(self) -> str:
        """Return the rules that set it, after those of the page."""
        light, dark = _properties(self.light, LIGHT), _properties(self.dark or self.light, DARK)
        return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"

    def changes(self) -> list[str]:
        """Say where the page's colour is not the one that was given."""
        return [
            f"the accent {hexadecimal(given)} is hard to read on the {theme.name} page, which has "
            f"{hexadecimal(shown)} instead"
            for given, theme in ((self.light, LIGHT), (self.dark, DARK))
            if given is not None and (shown := fitted(given, theme)) != given
        ]


def _properties(given: RGB, theme: Theme) -> str:
    """Return what theme.css derives from its own accent by hand."""
    colour = fitted(given, theme)
    pairs = zip(colour, theme.sheet, strict=True)
    red, green, blue = (
        round(theme.wash * own + (1 - theme.wash) * behind) for own, behind in pairs
    )
    colours = {
        "accent": colour,
        "accent-strong": _lighter(colour, theme.away * _STRONGER),
        "on-accent": text_on(colour),
        "accent-wash": (red, green, blue),
    }
    return ";".join(f"--{name}:{hexadecimal(value)}" for name, value in colours.items())


def hexadecimal(colour: RGB) -> str:
    """Return a colour as `#rrggbb`."""
    return "#{:02x}{:02x}{:02x}".format(*colour)
