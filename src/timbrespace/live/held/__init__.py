"""Sounds that are held as long as a key: spectra of instruments whose latent varies in time."""
