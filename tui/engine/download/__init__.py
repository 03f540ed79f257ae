"""One download, from its first request to its final name.

The stages of an attempt and the rules that they follow. What concerns several downloads
(the queue, the worker pool, limits, snapshots) belongs in ``tui.engine``; HTTP belongs
in ``tui.net``, and files belong in ``tui.disk``.
"""
