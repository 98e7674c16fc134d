"""Presets shipped with the package: small YAML files, read by `timbrespace.config.presets`."""
