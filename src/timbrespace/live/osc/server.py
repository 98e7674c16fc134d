"""The OSC server: packets of other programs become actions, faults and questions are answered, changes are sent back."""

from __future__ import annotations

import errno
import heapq
import ipaddress
import math
import selectors
import socket
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.live.conductor import Conductor
from timbrespace.live.mapping.targets import lacking, parse_target
from timbrespace.live.osc.carrying import Carrier
from timbrespace.live.osc.feedback import Feedback
from timbrespace.live.osc.packets import OscError, OscMessage, read_packet

Sender = tuple[Any, ...]  # the address of a socket

_LOOPBACK = "127.0.0.1"
_FARTHEST = 60.0  # s ahead that a time tag may be
_MOST_WAITING = 4_096  # messages with a time to come
_ANSWERS = 100  # a second at most: a flood of faults is not answered by a flood
_ANSWERS_OF_OTHERS = ("/error", "/pong", "/state")  # which two servers would answer for ever
_BETWEEN = 1 / 30  # s between two packets of changes
_BUFFER = 2**20  # bytes of packets that wait in the system
_BURST = 256  # packets that are read before messages that have become due


def parse_address(text: str, *, host: str = _LOOPBACK) -> tuple[str, int]:
    """Returns host and port of "9000", "192.168.1.5:9000" or "[::1]:9000". host: where only a port is given. Raises ConfigError."""
    name, colon, port = text.strip().rpartition(":")
    name = name.strip("[]") if colon else host
    if not port.isdecimal() or int(port[:6]) > 65535 or not name:
        raise ConfigError(f"{text[:60]!r} is no address; give a port from 1 to 65535, or HOST:PORT")
    return name, int(port)


class OscServer:
    """Receives OSC by UDP on a thread of its own. Use it as a context manager, or call `close`."""

    def __init__(
        self, conductor: Conductor, address: str = "0", *, send_to: str | None = None, state: Callable[[], Sequence[Any]] | None = None
    ):
        """address: see `parse_address`; port 0: any free one. send_to: where changes are sent. state: values for /q/state.

        Raises ConfigError, TimbrespaceError where the port is in use.
        """
        try:
            import pythonosc  # noqa: F401  # asked for here, before a port is opened
        except ImportError:
            raise ConfigError("OSC needs the package python-osc; install it with: pip install 'timbrespace[live]'") from None
        self._conductor, self._state = conductor, state
        self._carrier, self.feedback = Carrier(conductor), Feedback()
        self._socket, self.host, self.port = _open(*parse_address(address))
        try:
            self._send_to = None if send_to is None else _resolve(self._socket.family, *parse_address(send_to))
        except BaseException:
            self._socket.close()
            raise
        conductor.listeners.append(self.feedback.done)
        self._waiting: list[tuple[float, int, OscMessage, Sender]] = []
        self._number = 0
        self._answers, self._since, self._sent = 0, 0.0, 0.0
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="osc", daemon=True)
        self._thread.start()

    @property
    def is_open_to_others(self) -> bool:
        """Whether other machines can send to it."""
        with suppress(ValueError):
            return not ipaddress.ip_address(self.host.partition("%")[0]).is_loopback
        return self.host != "localhost"

    def close(self) -> None:
        """Ends the thread and closes the port; messages whose time is to come are dropped."""
        self._closing.set()
        self._thread.join(timeout=5)
        self._socket.close()
        if self.feedback.done in self._conductor.listeners:
            self._conductor.listeners.remove(self.feedback.done)

    def __enter__(self) -> OscServer:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _serve(self) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._socket, selectors.EVENT_READ)
            while not self._closing.is_set():
                now = time.time()
                wait = min(0.1 if self._send_to is None else _BETWEEN, max(self._waiting[0][0] - now, 0.0) if self._waiting else math.inf)
                received = selector.select(wait)
                self.feedback.look(self._conductor.walk)
                if received:
                    self._receive()
                self._due(time.time())
                self._send_changes()

    def _receive(self) -> None:
        for _ in range(_BURST):
            try:
                data, sender = self._socket.recvfrom(65_536)
            except (BlockingIOError, InterruptedError):
                return
            except OSError:  # Windows: an earlier answer went to a port that is closed
                continue
            try:
                messages = read_packet(data)
            except OscError as error:
                self._fault("unreadable OSC packet", str(error), sender)
                continue
            except Exception as error:  # whatever a packet holds, the next one is read
                self._fault("unreadable OSC packet", f"an OSC packet cannot be read ({type(error).__name__})", sender)
                continue
            for message in messages:
                self._take(message, sender)

    def _take(self, message: OscMessage, sender: Sender) -> None:
        """Carries out a message, or keeps it until it is due."""
        now = time.time()
        if message.due is None or message.due <= now:
            self._carry_out(message, sender)
        elif message.due - now > _FARTHEST:
            self._fault(
                "late OSC time tag",
                f"{message.address[:60]}: its time is {message.due - now:.0f} s ahead; up to {_FARTHEST:g} s are kept",
                sender,
            )
        elif len(self._waiting) >= _MOST_WAITING:
            self._fault(
                "too many OSC messages wait", f"{message.address[:60]}: {_MOST_WAITING:,} messages wait for their time already", sender
            )
        else:
            self._number += 1
            heapq.heappush(self._waiting, (message.due, self._number, message, sender))

    def _due(self, now: float) -> None:
        while self._waiting and self._waiting[0][0] <= now:
            _, _, message, sender = heapq.heappop(self._waiting)
            self._carry_out(message, sender)

    def _carry_out(self, message: OscMessage, sender: Sender) -> None:
        if message.address in _ANSWERS_OF_OTHERS:
            self._conductor.reports.add("answer of another program", f"OSC from {sender[0]}: {message.address} {message.values}")
            return

        def refused(problem: str) -> None:
            self._answer(sender, "/error", f"{message.address[:60]}: {problem}")

        try:
            if self._question(message, sender):
                return
            self._carrier.put(message.address, message.values, refused)
        except TimbrespaceError as error:
            kind = "unknown OSC address" if "there is no OSC address" in str(error) else "refused OSC message"
            self._fault(kind, str(error), sender)
            return
        except Exception as error:
            self._fault(
                "refused OSC message", f"{message.address[:60]} failed ({type(error).__name__}); this is a bug in timbrespace", sender
            )
            return

    def _question(self, message: OscMessage, sender: Sender) -> bool:
        """Answers a message that asks, or teaches the mapping. Returns whether it was one."""
        words = message.address.strip("/").split("/")
        match words:
            case ["ping"]:
                self._answer(sender, "/pong", *message.values)
            case ["q", "state"]:
                self._answer(sender, "/state", *(self._state() if self._state else ()))
            case ["q", "all_params"]:
                for address, values in self.feedback.all():
                    self._answer(sender, address, *values)
            case ["q", *rest] if rest:
                address = f"/{'/'.join(rest)}"
                found = self.feedback.value(address)
                if found is None:
                    raise OscError(f"{address[:60]}: nothing has set it yet, so that there is no value to send")
                self._answer(sender, address, *found)
            case ["learn", "stop"]:
                self._conductor.mapping.learn(None)
            case ["learn"]:
                target = parse_target(" ".join(str(value) for value in message.values))
                if problem := lacking(target, self._conductor.sources):
                    raise OscError(f"{message.address[:60]}: {problem}")
                self._conductor.mapping.learn(target)
            case _:
                return False
        return True

    def _fault(self, kind: str, text: str, sender: Sender) -> None:
        self._conductor.reports.add(kind, f"OSC from {sender[0]}: {text}")
        self._answer(sender, "/error", text)

    def _answer(self, sender: Sender, address: str, *values: Any) -> None:
        now = time.monotonic()
        if now - self._since >= 1:
            self._since, self._answers = now, 0
        self._answers += 1
        if self._answers <= _ANSWERS or address != "/error":
            self._send(sender, address, values)

    def _send_changes(self) -> None:
        now = time.monotonic()
        if self._send_to is not None and now - self._sent >= _BETWEEN:
            self._sent = now
            for address, values in self.feedback.changed():
                self._send(self._send_to, address, values)

    def _send(self, receiver: Sender, address: str, values: Sequence[Any]) -> None:
        """Sends a message; a receiver that is gone, or values that OSC cannot hold, are no fault of the sound."""
        from pythonosc.osc_message_builder import BuildError, build_msg

        with suppress(OSError, BuildError, ValueError):
            self._socket.sendto(build_msg(address, list(values)).dgram, receiver)


def _open(host: str, port: int) -> tuple[socket.socket, str, int]:
    """An open socket with its host and port. Raises TimbrespaceError."""
    try:
        family, kind, protocol, _, where = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM, flags=socket.AI_PASSIVE)[0]
    except OSError as error:
        raise ConfigError(
            f"{host!r} is no address of this machine for OSC ({error.strerror or error}); leave it out for {_LOOPBACK}"
        ) from None
    opened = socket.socket(family, kind, protocol)
    try:
        with suppress(OSError):
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        opened.bind(where)
        opened.setblocking(False)
    except OSError as error:
        opened.close()
        if error.errno == errno.EADDRINUSE or getattr(error, "winerror", 0) == 10048:
            raise TimbrespaceError(
                f"UDP port {port} of {host} is in use by another program; give another one: --osc {min(port + 1, 65535)}"
            ) from None
        if error.errno == errno.EACCES:
            raise TimbrespaceError(f"UDP port {port} is not allowed for this user; give one over 1023: --osc 9000") from None
        raise TimbrespaceError(f"OSC cannot use {host}:{port} ({error.strerror or error}); give another port with --osc") from None
    name = opened.getsockname()
    return opened, str(name[0]), int(name[1])


def _resolve(family: int, host: str, port: int) -> Sender:
    try:
        return tuple(socket.getaddrinfo(host, port, family=family, type=socket.SOCK_DGRAM)[0][4])
    except OSError as error:
        raise ConfigError(
            f"{host!r} is no host that OSC can be sent to ({error.strerror or error}); give HOST:PORT, such as {_LOOPBACK}:9001"
        ) from None
