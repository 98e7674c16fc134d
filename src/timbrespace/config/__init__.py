"""Presets and settings, checked before any work starts; models and representations built from them."""
