"""The measurements behind the figures in `docs/`, run by `make bench…`; none is a test."""
