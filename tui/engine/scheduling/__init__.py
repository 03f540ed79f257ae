"""Which queued download starts next."""
