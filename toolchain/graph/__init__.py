"""What a SavedModel's graph is: how it is called, fed, and what it consists of."""
