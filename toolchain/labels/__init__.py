"""Reads labels from files in several formats; `reading` decides which format a file has."""
