"""Folders of the user's photos."""
