"""What a network's answers are worth: pure functions."""
