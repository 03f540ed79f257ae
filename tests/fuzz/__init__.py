"""Fuzz the parsers of untrusted text: none may crash, hang or accept unsafe values.

``python -m tests.fuzz TARGET --minutes 5`` runs atheris, guided by the coverage of the
parser (``pip install atheris``; it has wheels for Linux). The test suite runs the same
targets with hypothesis, which takes seconds and has no further dependency.

``attacks`` keeps every known attack on lists, pages and commands as a case, and streams
without an end. ``python -m tests.fuzz attacks`` runs them at full size.
"""
