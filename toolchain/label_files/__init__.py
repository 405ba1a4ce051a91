"""The forms of label files; `toolchain.labels` decides which one a file has."""
