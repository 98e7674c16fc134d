"""Measures of sounds on NumPy arrays: without PyTorch, whose import takes longer than most sounds."""
