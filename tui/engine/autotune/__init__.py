"""Measures what limits the run and adjusts concurrency."""
