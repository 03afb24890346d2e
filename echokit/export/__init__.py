"""A run's networks as a bundle."""
