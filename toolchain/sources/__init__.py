"""Where models come from; each module ends in a SavedModel on disk with what is known of it."""
