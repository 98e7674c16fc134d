"""The page by which a phone or a browser plays `timbrespace play`."""
