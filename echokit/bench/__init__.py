"""Benchmark accuracy and speed: one command, one format of results."""
