"""Colours, glyphs, and text cut to a width."""
