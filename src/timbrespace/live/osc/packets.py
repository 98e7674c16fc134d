"""OSC packets of any content: what can be read of them, and why the rest cannot (OSC 1.0).

python-osc reads the messages. The frame of bundles is read here: python-osc does not end where a part has a negative size, and breaks off
where bundles are nested deeply.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

from timbrespace.contracts import TimbrespaceError

LARGEST = 16_384  # bytes of a packet
_DEEPEST, _MOST = 8, 1_000  # bundles in bundles, and messages in a packet
_BUNDLE = b"#bundle\0"
_TYPES = frozenset("ifdhsbrmtTFN[]")
_EPOCH = 2_208_988_800  # s from 1900, where time tags begin, to 1970
_AT_ONCE = 1  # the time tag that means so


class OscError(TimbrespaceError):
    """A packet or message that cannot be carried out."""


class OscMessage(NamedTuple):
    """An address with its values. due: when, in seconds since 1970; None: at once."""

    address: str
    values: tuple[Any, ...]
    due: float | None = None


def read_packet(data: bytes) -> list[OscMessage]:
    """Returns the messages of a packet in order. Raises OscError where it is no OSC; nothing of it counts then."""
    if len(data) > LARGEST:
        raise OscError(f"an OSC packet has {len(data):,} bytes; up to {LARGEST:,} are read: send it in parts")
    messages: list[OscMessage] = []
    _read(data, None, 0, messages)
    return messages


def _read(data: bytes, due: float | None, depth: int, messages: list[OscMessage]) -> None:
    if not data.startswith(_BUNDLE):
        if len(messages) >= _MOST:
            raise OscError(f"an OSC packet has more than {_MOST} messages; send it in parts")
        messages.append(_message(data, due))
        return
    if depth >= _DEEPEST:
        raise OscError(f"OSC bundles are nested more than {_DEEPEST} deep")
    if len(data) < 16:
        raise OscError("an OSC bundle is cut off")
    tag = int.from_bytes(data[8:16])
    due = None if tag == _AT_ONCE else tag / 2**32 - _EPOCH
    at = 16
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], signed=True)
        if size < 1 or size % 4 or at + 4 + size > len(data):
            raise OscError(
                f"an OSC bundle has a part of {size} bytes where {max(len(data) - at - 4, 0)} are left; sizes are multiples of 4"
            )
        _read(data[at + 4 : at + 4 + size], due, depth + 1, messages)
        at += 4 + size


def _message(data: bytes, due: float | None) -> OscMessage:
    from pythonosc.osc_message import OscMessage as Parsed
    from pythonosc.osc_message import ParseError

    end = data.find(b"\0")
    address = data[: end if end >= 0 else len(data)]
    if not address.startswith(b"/") or not all(33 <= byte < 127 for byte in address):
        raise OscError("a packet is no OSC: it begins neither with '/' and an address nor with '#bundle'")
    tags = data[end // 4 * 4 + 4 :] if end >= 0 else b""
    types = tags[: max(tags.find(b"\0"), 0)].decode("latin-1")
    if types and not (types[0] == "," and _TYPES.issuperset(types[1:])):
        raise OscError(f"{address.decode()[:60]}: its types are {types[:20]!r}; read are ',' and {''.join(sorted(_TYPES))}")
    try:
        values = Parsed(data).params
    except (ParseError, ValueError, OverflowError, IndexError, struct.error, RecursionError) as error:
        raise OscError(f"{address.decode()[:60]}: its values cannot be read ({type(error).__name__}); the packet may be cut off") from None
    return OscMessage(address.decode(), tuple(values), due)
