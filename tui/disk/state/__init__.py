"""State that outlives a run: sessions, limits of hosts, and how such files are written.

Sessions contain the queue of downloads, not their data: part files and resume records
belong one level up. Every package may use ``location``, ``replace`` and ``json_lines``.
"""
