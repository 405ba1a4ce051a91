"""Fuzzes everything that reads files and texts by others.

`readers` lists what is fuzzed and the content to start from; `damage` says how it is damaged.
`python -m tests.fuzz --minutes 10 READER` searches for a long time. Findings are saved in
`cases/READER/`, and `tests/test_fuzz.py` tries them again.
"""
