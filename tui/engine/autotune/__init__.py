"""Diagnoses what limits the run, adjusts the concurrency, and learns sizes ahead.

Measurements that other parts of the engine need as well are in ``engine.metrics``.
"""
