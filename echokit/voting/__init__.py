"""Vote: from sequences to the prediction of a view, from views to that of a subject."""
