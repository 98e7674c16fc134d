"""Identifies a sound file by its first bytes, and compares the length in its header with its content."""

from __future__ import annotations

import struct
from dataclasses import replace
from pathlib import Path

from timbrespace.audio.containers.aiff import inspect_aiff
from timbrespace.audio.containers.au import inspect_au
from timbrespace.audio.containers.base import Header, Source
from timbrespace.audio.containers.caf import inspect_caf
from timbrespace.audio.containers.flac import inspect_flac
from timbrespace.audio.containers.foreign import inspect_foreign
from timbrespace.audio.containers.mpeg import after_tags, inspect_mpeg
from timbrespace.audio.containers.ogg import inspect_ogg
from timbrespace.audio.containers.rare import inspect_rare
from timbrespace.audio.containers.riff import inspect_riff, inspect_w64, is_w64

_MPEG_SUFFIXES = (".mp3", ".mp2", ".mp1", ".mpga")
_NO_FRAMES = "not readable as audio (there are no MP3 frames in it)"


def inspect(path: Path) -> Header:
    """The header of the file at `path`: what it is, whether it is complete, how it is read; empty if it is not recognised.

    Reads headers, and of MP3, Ogg and FLAC files the chain of their frames; decodes nothing. Raises OSError.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            return _inspect(Source(file, size, path.suffix.lower()))
        except (struct.error, ValueError, ArithmeticError, LookupError):  # impossible values
            return Header(damage="damaged header: it contradicts itself")


def _inspect(source: Source) -> Header:
    tags = after_tags(source, 0)
    if 0 < tags < source.size:  # some programs put an ID3 tag in front of anything
        header = _by_magic(source.behind(tags))
        if header is not None:
            return _shifted(header, tags, source.size)
    return _by_magic(source) or _others(source)


def _by_magic(source: Source) -> Header | None:
    """The header of a container that its first bytes name; None for others."""
    head = source.head
    if head[:4] in (b"RIFF", b"RF64", b"RIFX", b"BW64") and len(head) >= 12:
        return inspect_riff(source)
    if is_w64(head):
        return inspect_w64(source)
    if head[:4] == b"FORM" and head[8:12] in (b"AIFF", b"AIFC"):
        return inspect_aiff(source)
    if head[:4] == b"caff":
        return inspect_caf(source)
    if head[:4] in (b".snd", b"dns.", b"\0ds."):
        return inspect_au(source)
    if head[:4] == b"OggS":
        return inspect_ogg(source)
    return None


def _shifted(header: Header, offset: int, size: int) -> Header:
    """The header of a container that begins at `offset` of a file of `size` bytes."""
    parts = header.parts if header.parts is not None else ((0, size - offset),)
    moved = tuple(part if isinstance(part, bytes) else (part[0] + offset, part[1] + offset) for part in parts)
    return replace(header, parts=None if header.codec is not None else moved)


def _others(source: Source) -> Header:
    """The header of FLAC and MPEG streams, behind tags or not, and of all that is rarer."""
    head = source.head
    start = after_tags(source, 0)
    if source.read(start, 4) == b"fLaC":
        return inspect_flac(source, start)
    named = inspect_rare(source) or inspect_foreign(source)
    if named is not None:
        return named
    if start or source.suffix in _MPEG_SUFFIXES or (head[:1] == b"\xff" and len(head) > 1 and head[1] & 0xE0 == 0xE0):
        return inspect_mpeg(source) or Header(damage=_NO_FRAMES if source.suffix in _MPEG_SUFFIXES else None)
    return Header()
