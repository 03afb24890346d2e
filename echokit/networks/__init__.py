"""Networks: one job in, trained weights out."""
