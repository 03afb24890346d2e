"""What the machine offers: files, progress, cost, prefetching."""
