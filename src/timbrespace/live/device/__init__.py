"""Audio devices, recordings, and the terminal while an engine plays."""
