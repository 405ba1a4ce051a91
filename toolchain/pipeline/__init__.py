"""From a source to a site on disk: every stage in its order."""
