"""Bundles: a run's networks in one folder that predicts studies wherever it is copied to.

`write` makes one, `open` reads it; `manifest` is what they agree on, `card` is for people.
"""
