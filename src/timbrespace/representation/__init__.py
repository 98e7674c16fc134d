"""Invertible views of audio. A new one is a file and a line in `registry`."""
