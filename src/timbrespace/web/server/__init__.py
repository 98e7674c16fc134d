"""The server of `timbrespace serve`: the page, and what needs Python: words, given sounds, neighbours, files."""
