"""Engines run trained networks: torch always, and faster libraries where they agree with it."""
