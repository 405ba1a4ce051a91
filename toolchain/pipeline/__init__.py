"""Runs the stages in order, for each command: from a source to a site on disk."""
