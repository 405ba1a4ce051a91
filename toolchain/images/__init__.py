"""Reads pictures in the same way as browsers."""
