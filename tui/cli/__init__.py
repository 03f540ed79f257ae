"""The command line: options, settings of a run, subcommands and the composition root.

No other package knows both the engine and the front ends: ``main`` brings them together
for a run in this process, ``background.process`` for one without a terminal.
Downloading, drawing and the option table (``tui.config``) do not belong here.
"""
