"""Figures for judging a model's answers: pure functions."""
