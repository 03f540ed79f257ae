"""Results of a race: figures, the table, exports, and the race without a screen.

Nothing here measures: ``lab.worker`` does that in the processes of the strategies.
"""
