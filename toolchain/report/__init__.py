"""What a build made, in numbers."""
