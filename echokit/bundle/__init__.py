"""Bundles: the networks of a run in one folder that predicts studies wherever it is copied to."""
