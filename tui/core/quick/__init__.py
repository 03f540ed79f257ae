"""Parts of the standard library in a form that costs less at the start of the program.

Each module says what it saves; whatever saves nothing does not belong here.
"""
