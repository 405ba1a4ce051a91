"""The proof: real TensorFlow, real clients, a real browser."""
