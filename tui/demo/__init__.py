"""A scripted server on loopback and the list that shows every state."""
