"""The command line: options, settings of a run, subcommands and the composition root.

``main`` is the only module that knows both the engine and the front ends. Downloading,
drawing and the option table (``tui.config``) do not belong here.
"""
