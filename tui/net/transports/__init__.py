"""HTTP backends; each turns a request into a raw response."""
