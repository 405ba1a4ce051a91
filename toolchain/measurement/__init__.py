"""What a visit to a built site costs in a real browser."""
