"""Converts pictures from the colour space that their files declare to sRGB, as browsers do."""
