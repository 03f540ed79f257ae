"""Diagnoses what limits the run, adjusts concurrency and connections, learns sizes.

``tuner`` feeds the decisions (``controller``, ``fast_start``, ``connections``) with
samples of the engine and applies what they return; sizes are requested ahead of the
downloads by ``size_lookahead``.

Measurements that other parts of the engine need as well are in ``engine.metrics``.
"""
