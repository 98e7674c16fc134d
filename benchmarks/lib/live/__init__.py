"""Parts of live.py: each prints tables about one side of live playing."""
