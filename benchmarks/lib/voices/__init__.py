"""Parts of benchmarks/voices.py."""
