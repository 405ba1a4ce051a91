"""Training: folders of a user's photos in, a model that knows their tags out."""
