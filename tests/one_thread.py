"""Holds libraries to one thread each when it is imported, in this process and those it starts.

The tests use every core anyway, and threads that wait for small matrices spin: three files of tests
took 169 CPU-seconds with the libraries' own choice on two cores, and 139 with one thread.
"""

import os
import sys

VARIABLES = ("OPENBLAS_NUM_THREADS", "TF_NUM_INTEROP_THREADS", "TF_NUM_INTRAOP_THREADS")

if "numpy" in sys.modules:
    raise ImportError("NumPy is loaded already and has read its variable: import this module first")
for _name in VARIABLES:
    os.environ.setdefault(_name, "1")
