"""Fuzzing of everything that reads what somebody else has written.

`readers` says what is fuzzed and what it starts from, `damage` how bytes are damaged, and
`python -m tests.fuzz --minutes 10 READER` looks for long. What was found lies in
`cases/READER/` and is tried again by `tests/test_fuzz.py`.
"""
