"""The kinds of voices side by side: files opened, voices learned, pieces converted, each by its kind."""
