"""The forms of label files; `toolchain.labels.reading.reading` decides which one a file has."""
