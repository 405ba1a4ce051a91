"""Folders of photos, and the labels of the photos in them."""
