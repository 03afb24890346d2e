"""The journey of a study: from one patient's clips to a prediction."""
