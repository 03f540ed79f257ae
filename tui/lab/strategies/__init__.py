"""The strategies that are compared: one per module, each complete and short.

A module defines ``run(job, stats)``, plain or ``async``. Its docstring explains it and
is shown beside the code on the race screen. Code that strategies share belongs in
``tui.lab.worker``.
"""
