"""Novelty: how unlike its training clips a clip is, by its frames and by a network's features."""
