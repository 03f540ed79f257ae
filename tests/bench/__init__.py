"""Benchmarks: speed, comparison with other programs, and where the time goes.

* ``python -m tests.bench``: compares whole programs on the same work.
* ``python -m tests.bench.pieces``: microseconds per file and per MiB, piece by piece.
* ``python -m tests.bench.growth``: cost against list length, connections and file size.

They need Linux and nginx (``apt install nginx-light``), take minutes and are no part of
the gate. Everything goes over loopback; data and output lie in a folder that is removed
at the end.
"""
