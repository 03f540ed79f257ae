"""One reader per list format, and the parsers that they share.

A reader yields a request or a ``BadRequestLine`` for each entry and does not raise.
Detecting the format and opening files belong in ``tui.sources.list_file``.
"""
