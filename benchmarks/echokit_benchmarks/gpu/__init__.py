"""What echokit reaches on one GPU; `benchmarks/gpu/run.sh` runs the parts one after the other."""
