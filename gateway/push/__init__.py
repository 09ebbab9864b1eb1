"""One page over many phones: concurrency, deadlines, one outcome per phone."""
