"""MIDI messages of a stream of bytes, with running status (MIDI 1.0 specification, "Data format")."""

from __future__ import annotations

from collections.abc import Iterable

_SYSTEM_EXCLUSIVE, _END = 0xF0, 0xF7
_DATA = {0x80: 2, 0x90: 2, 0xA0: 2, 0xB0: 2, 0xC0: 1, 0xD0: 1, 0xE0: 2}  # bytes after the status of a channel message
_COMMON = {0xF1: 1, 0xF2: 2, 0xF3: 1, 0xF6: 0}  # of a system common message
_REALTIME = 0xF8  # and up: one byte, anywhere, also inside other messages
LONGEST = 65_536  # bytes of a system exclusive message that are kept; a longer one is left out


def data_bytes(status: int) -> int | None:
    """Returns the number of bytes that follow a status; None for system exclusive, undefined ones and data bytes."""
    if status >= _REALTIME:
        return 0
    return _COMMON.get(status) if status >= _SYSTEM_EXCLUSIVE else _DATA.get(status & 0xF0)


class MidiParser:
    """Finds messages in bytes, however they are cut into pieces.

    A status byte inside a message ends it; bytes of no message are ignored and counted. ignored: their number.
    """

    def __init__(self) -> None:
        self.ignored = 0
        self._status = 0  # of the message that arrives, or the running status; 0: none
        self._data = bytearray()
        self._exclusive: bytearray | None = None

    def feed(self, data: Iterable[int]) -> list[bytes]:
        """Returns the messages that these bytes complete, each whole with its status."""
        messages = []
        for byte in data:
            message = self._next(byte)
            if message is not None:
                messages.append(message)
        return messages

    def _next(self, byte: int) -> bytes | None:
        if byte >= _REALTIME:
            return bytes((byte,))
        if byte < 0x80:
            return self._next_data(byte)
        exclusive, self._exclusive = self._exclusive, None
        self.ignored += len(self._data)
        self._data.clear()
        if byte == _END:
            self._status = 0
            if exclusive is None or len(exclusive) > LONGEST:
                self.ignored += 1 + len(exclusive or b"")
                return None
            return bytes(exclusive) + bytes((_END,))
        self.ignored += len(exclusive or b"")
        if byte == _SYSTEM_EXCLUSIVE:
            self._status, self._exclusive = 0, bytearray((byte,))
            return None
        size = data_bytes(byte)
        self._status = byte if size else 0
        if size == 0:
            return bytes((byte,))
        self.ignored += size is None
        return None

    def _next_data(self, byte: int) -> bytes | None:
        if self._exclusive is not None:
            if len(self._exclusive) <= LONGEST:
                self._exclusive.append(byte)
            return None
        size = data_bytes(self._status) if self._status else None
        if not size:
            self.ignored += 1
            return None
        self._data.append(byte)
        if len(self._data) < size:
            return None
        message = bytes((self._status, *self._data))
        self._data.clear()
        if self._status >= _SYSTEM_EXCLUSIVE:  # these have no running status
            self._status = 0
        return message
