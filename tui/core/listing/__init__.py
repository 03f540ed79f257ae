"""Which downloads a list shows, and in which order: filters, views and sorting."""
