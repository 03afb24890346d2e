"""Tables, figures and findings beside published ones."""
