"""Runs a finished site as its page does, before anybody visits it."""
