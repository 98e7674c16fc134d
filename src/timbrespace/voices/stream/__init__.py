"""Pieces of any length: audio and frames in rows that are in memory or in an unnamed file, read and written in parts."""
