"""Tools that know nothing of ultrasound: files, progress, cost, prefetching, the machine."""
