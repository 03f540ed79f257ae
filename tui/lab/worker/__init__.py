"""What runs in the process of a strategy: the harness, measurement and shared code.

The strategies themselves are in ``lab.strategies``; the parent process of all of them
is ``lab.race``.
"""
