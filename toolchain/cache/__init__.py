"""The cache on disk, which keeps the results of stages."""
