"""The remote control: real HTTP and WebSocket clients against a real engine."""
