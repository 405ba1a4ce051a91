"""Measures visits to a built site in a real browser."""
