"""Object stores: addresses, credentials and uploads."""
