"""Endless controlled generation: latents that wander, and patterns or a Markov chain that play meanwhile."""
