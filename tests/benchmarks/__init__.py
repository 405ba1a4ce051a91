"""Measurements behind the figures in `docs/`; each is run by a `make bench…` and is no test."""
