"""Write downloads to disk without ever blocking the event loop.

Everything here either runs on the loop and does no I/O, or blocks and runs in one of
the writer's threads; each docstring says which. ``writer`` is the way in. Part files,
resume records and output folders belong here, and in ``state``, whose callers choose
the thread, saved sessions. HTTP, the choice of file names, resume policy and anything
about segments or retries do not.
"""
