"""Parsers of text from outside, fed with anything: none may crash, hang or let through.

``python -m tests.fuzz TARGET --minutes 5`` lets atheris search with the coverage of the
parser's own code (``pip install atheris``; it has wheels for Linux). The test suite
feeds the same targets with hypothesis, which takes seconds and needs nothing else.
"""
