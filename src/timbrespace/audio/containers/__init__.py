"""Headers of sound files: the length in the header, and whether the file has it. `inspection.inspect` is the entry point."""
