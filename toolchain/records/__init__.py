"""The records that stages pass to each other and that the report keeps."""
