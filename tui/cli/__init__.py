"""The command line: options, settings, subcommands, and the composition root."""
