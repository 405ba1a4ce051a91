"""From a float graph to one with fewer bytes and the same tags."""
