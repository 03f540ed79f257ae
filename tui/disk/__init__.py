"""Bytes onto disk, always through an executor."""
