"""How fast, beside whom, and where the time goes: benchmarks that anyone can run.

* ``python -m tests.bench``: whole programs side by side on the same work.
* ``python -m tests.bench.pieces``: microseconds a file and a MiB, piece by piece.
* ``python -m tests.bench.growth``: cost against list length, connections and file size.

They need Linux and nginx (``apt install nginx-light``), take minutes and are no part of
the gate. Everything goes over loopback; data and output lie in a folder that is removed
at the end.
"""
