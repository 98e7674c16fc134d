"""Controllers mapped to latents, controls, axes, the map and more: by hand in a small YAML file, or learned."""
