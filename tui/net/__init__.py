"""Bytes off the wire; the only importer of httpx and pyreqwest."""
