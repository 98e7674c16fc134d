"""Sounds that an engine plays: pads and notes of instruments, chosen, made ahead and kept."""
