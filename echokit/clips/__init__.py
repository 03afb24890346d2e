"""Gather, label, split, prepare and store clips, and cut them into sequences, without torch."""
