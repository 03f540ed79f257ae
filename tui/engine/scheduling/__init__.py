"""Which queued download starts next.

The queue, the state of each origin (slots, learned capacity, blocks) and the order of
queued downloads. Nothing here starts a download, and nothing does I/O.
"""
