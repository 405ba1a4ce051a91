"""The tests: with real TensorFlow, real clients and a real browser."""
