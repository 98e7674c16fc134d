"""Playing instruments live: an engine of voices, MIDI, OSC, audio devices."""

from timbrespace.live.engine import Engine
from timbrespace.live.state import EngineState

__all__ = ["Engine", "EngineState"]
