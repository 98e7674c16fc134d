"""Headers of sound files: how long a file says it is, and whether it holds that much. `inspection.inspect` is the entry point."""
