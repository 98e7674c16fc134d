"""Verbs that play instruments."""
