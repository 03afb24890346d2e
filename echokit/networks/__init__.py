"""Train networks: one job and its data in, weights and the history of training out."""
