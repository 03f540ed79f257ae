"""Diagnoses what limits the run and adjusts the concurrency.

Measurements that other parts of the engine need as well are in ``engine.metrics``.
"""
