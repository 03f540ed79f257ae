"""Results of a race: figures, tables, exports."""
