"""Representations: invertible views of audio. A new one is a file in `views` and a line in `registry`."""
