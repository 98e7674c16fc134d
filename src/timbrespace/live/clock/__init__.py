"""MIDI clock: tempo and position from the pulses of another machine, and pulses for others."""
