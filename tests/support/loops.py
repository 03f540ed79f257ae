"""The event loops that fetchtui runs on."""

from __future__ import annotations

import asyncio

import uvloop

LOOPS = {"asyncio": asyncio.new_event_loop, "uvloop": uvloop.new_event_loop}
"""Factories by name."""
