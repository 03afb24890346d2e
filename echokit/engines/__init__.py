"""Engines: what runs a trained network. Torch always can; others run the same network faster."""
