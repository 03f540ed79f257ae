"""Tests that kill real processes at random moments and restart them."""
