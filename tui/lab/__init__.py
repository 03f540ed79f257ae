"""Ways of running concurrent downloads, raced against each other on one list.

Each strategy is a module of ``tui.lab.strategies`` that fits on a screen. ``race``
gives every one of them a fresh process (``child``), one after another in an order that
is shuffled each round, against a server in a process of its own (``stand``) or a list
of your own. ``table`` and ``export`` say what came out.
"""
