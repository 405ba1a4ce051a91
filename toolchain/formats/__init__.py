"""Files of models in many formats, read as SavedModels."""
