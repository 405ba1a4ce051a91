"""What stages hand each other, and what the report keeps."""
