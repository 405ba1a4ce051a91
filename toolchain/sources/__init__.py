"""Where models come from; each source returns a SavedModel on disk and what is known about it."""
