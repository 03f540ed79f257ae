"""Bytes onto a real disk."""
