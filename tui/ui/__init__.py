"""The dashboard; the only importer of Textual."""
