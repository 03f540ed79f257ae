"""The lab: benchmark strategies for concurrent downloads against each other.

Each strategy is a short module in ``strategies``. ``race`` runs every one of them in a
new process (``worker``), in an order that is shuffled each round, against a server in a
process of its own (``server_process``) or against the user's list. ``report`` computes
and formats the results. ``README.md`` in this folder describes the strategies, how they
are measured and how to add one. The command line and the race screen are elsewhere
(``tui.cli``, ``tui.ui.lab``); nothing here draws.
"""
