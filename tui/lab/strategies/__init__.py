"""The ways that race; one a module, each of them complete and short.

A module has ``run(job, probe)``, plain or ``async``; what else there is to know about
it stands in its docstring, which the race screen shows beside the code.
"""
