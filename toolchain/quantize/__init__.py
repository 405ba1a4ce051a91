"""Quantises a float graph: fewer bytes, the same tags."""
