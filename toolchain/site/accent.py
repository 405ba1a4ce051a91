"""The accent colour: a small style sheet that sets it, legible in the light and the dark theme.

The page uses it for links, buttons, bars and frames. So that everyone can read them, the colour
is made darker for the light theme and lighter for the dark one, only as far as needed. Hue and
saturation stay. Contrast is that of WCAG 2.2, criteria 1.4.3 and 1.4.11.
"""

from __future__ import annotations

import colorsys
from dataclasses import dataclass

from PIL import ImageColor

RGB = tuple[int, int, int]
"""Red, green and blue of sRGB, 0…255."""

TEXT_CONTRAST = 4.5
"""The contrast that WCAG asks for between text and its background."""

_NEARLY_BLACK = 0.04045  # sRGB values up to this one are linear in light (the sRGB standard)
_STEP = 0.005  # of lightness, 0…1
_STRONGER = 0.09  # change of lightness of a button under the pointer; chosen, not measured


@dataclass(frozen=True)
class Theme:
    """The backgrounds of a theme, as in web/src/page/styles/theme.css, and how the accent fits."""

    name: str
    paper: RGB
    """Background of the page."""
    sheet: RGB
    """Background of its boxes."""
    away: int
    """Whether the accent is darker (-1) or lighter (1) than the backgrounds."""
    wash: float
    """Share of the accent in its pale tint, 0…1."""


LIGHT = Theme("light", (0xF6, 0xF4, 0xEF), (0xFF, 0xFE, 0xFB), away=-1, wash=0.16)
DARK = Theme("dark", (0x15, 0x18, 0x16), (0x1D, 0x21, 0x1F), away=1, wash=0.2)


def parse(text: str) -> RGB:
    """Read a colour as CSS writes it: `#b3261e`, `crimson`, `rgb(179, 38, 30)`, `hsl(3, 71%, 41%)`.

    Raises:
        ValueError: It is not a colour, or it is not opaque.
    """
    try:
        red, green, blue, *alpha = ImageColor.getrgb(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is not a colour; write it like #b3261e, crimson or rgb(179, 38, 30)"
        ) from None
    if alpha not in ([], [255]):
        raise ValueError(f"{text!r} is transparent; give an opaque colour")
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
    """Return the linear light of an sRGB value, both 0…1."""
    return part / 12.92 if part <= _NEARLY_BLACK else ((part + 0.055) / 1.055) ** 2.4


def fitted(colour: RGB, theme: Theme) -> RGB:
    """Return the colour, or the nearest one with enough contrast for text in this theme."""
    shown, moved = colour, 0.0
    while min(contrast(shown, behind) for behind in (theme.paper, theme.sheet)) < TEXT_CONTRAST:
        moved += theme.away * _STEP
        # Always start from the given colour: repeated rounding to bytes would change the hue.
        shown = _lighter(colour, moved)
    return shown


def _lighter(colour: RGB, by: float) -> RGB:
    """Return a colour with the same hue and saturation and another lightness."""
    hue, lightness, saturation = colorsys.rgb_to_hls(*(value / 255 for value in colour))
    parts = colorsys.hls_to_rgb(hue, min(1.0, max(0.0, lightness + by)), saturation)
    red, green, blue = (round(255 * part) for part in parts)
    return red, green, blue


def text_on(colour: RGB) -> RGB:
    """Return black or white, whichever has more contrast with a colour."""
    return max(((0, 0, 0), (255, 255, 255)), key=lambda text: contrast(text, colour))


@dataclass(frozen=True)
class Accent:
    """The accent as the user gave it; without a dark one, the light one is adapted."""

    light: RGB
    dark: RGB | None = None

    def stylesheet(self) -> str:
        """Return the CSS rules that set the accent; they come after those of the page."""
        light, dark = _properties(self.light, LIGHT), _properties(self.dark or self.light, DARK)
        return f":root{{{light}}}\n@media (prefers-color-scheme:dark){{:root{{{dark}}}}}\n"

    def changes(self) -> list[str]:
        """Return a sentence for each theme whose accent is not the given one."""
        return [
            f"the accent {hexadecimal(given)} is hard to read on the {theme.name} page, which uses "
            f"{hexadecimal(shown)} instead"
            for given, theme in ((self.light, LIGHT), (self.dark, DARK))
            if given is not None and (shown := fitted(given, theme)) != given
        ]


def _properties(given: RGB, theme: Theme) -> str:
    """Return the CSS properties that theme.css sets by hand for its own accent."""
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
