"""MIDI: messages from ports, streams and files, as actions of an engine."""
