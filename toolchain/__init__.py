"""Turns an image classifier into a static web page that tags images in the browser."""

__version__ = "0.1.0"
