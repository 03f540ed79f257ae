"""Extracting archives in processes of their own."""
