"""Votes: sequences vote for a view, views vote for a subject."""
