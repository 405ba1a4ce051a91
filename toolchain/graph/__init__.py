"""Reads a SavedModel's graph: how to call it, what input it takes, and what it consists of."""
