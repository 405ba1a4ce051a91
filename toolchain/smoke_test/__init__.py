"""The smoke test: runs a finished site as its page does."""
