"""Converts a SavedModel to TF.js artifacts, named after their content."""
