"""Which downloads a list shows and in which order, and the list of earlier ones."""
