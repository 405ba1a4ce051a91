"""Judges a built site, or a model, on photos: how often it is right, and how far it strays."""
