"""Cohorts and clips: found, labelled, split, prepared, stored and cut into sequences. No torch."""
