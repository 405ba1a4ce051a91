"""The forms of label files; `toolchain.labels.reading` decides which one a file has."""
