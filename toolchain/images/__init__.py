"""Reads pictures as browsers do."""
