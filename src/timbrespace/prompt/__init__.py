"""Prompts: a wish in words becomes a request to an instrument (`Reading`), and sounds that fit it."""

from timbrespace.prompt.encoder import TextEncoder
from timbrespace.prompt.reading import Reading

__all__ = ["Reading", "TextEncoder"]
