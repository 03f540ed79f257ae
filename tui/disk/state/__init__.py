"""Sessions saved across runs: the queue of downloads, not their data.

Part files and resume records, which store the data, belong one level up.
"""
