"""Binds a recipe's components, the stages and the run folder together: one file per result."""
