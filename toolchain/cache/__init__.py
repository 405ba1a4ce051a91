"""The cache on disk of what stages made."""
