"""From TF.js artifacts to a folder that any static host can serve."""
