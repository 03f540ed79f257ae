"""One-line widgets: header, tabs, filter, messages, footer."""
