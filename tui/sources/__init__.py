"""Lists of downloads: read from files, standard input, pages and pasted commands.

``load`` reads everything that the command line names, ``list_file`` detects the format
of one list, ``readers`` has one module per format, and ``writers`` writes lists.
Network access does not belong here: callers pass a function that fetches pages.
"""
