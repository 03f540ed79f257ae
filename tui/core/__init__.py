"""Nouns and rules that all other packages share.

Only the standard library (and ``regex``, loaded when a filter needs it), no I/O, no
asyncio and no sentences for users: those are in ``tui.messages``. What only one package
needs belongs to that package.
"""
