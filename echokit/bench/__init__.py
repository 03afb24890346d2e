"""The benchmark suite: accuracy and speed, one command, one format of results."""
