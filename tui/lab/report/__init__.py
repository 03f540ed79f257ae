"""Results of a race: figures, the table, and exports. Nothing here measures."""
