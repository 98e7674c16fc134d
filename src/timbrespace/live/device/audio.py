"""Audio devices, by PortAudio. Where the native core is a library its callback plays, and no Python runs on the audio thread."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Sequence
from types import ModuleType, TracebackType
from typing import Any, NamedTuple

import numpy as np

from timbrespace.contracts import ConfigError, TimbrespaceError
from timbrespace.live.engine import Engine
from timbrespace.native.output import Output, OutputState

EXTRA = "pip install 'timbrespace[live]'"
RATES = (44_100, 48_000, 88_200, 96_000, 192_000)
_LINUX = "install the system's PortAudio: apt install libportaudio2, dnf install portaudio, or pacman -S portaudio"
_STALLED = 1.5  # s without a block after which a device counts as gone: the server of one that died is not noticed by PortAudio
_OFFLINE = "without a device, --offline --record OUT.wav renders --midi SONG.mid or a --walk to a file"


class AudioError(TimbrespaceError):
    """There is no audio device, or it cannot be used."""


class DeviceInfo(NamedTuple):
    """An audio device that plays. number: of PortAudio. api: the system that offers it. rate: its own, in Hz."""

    number: int
    name: str
    api: str
    channels: int
    rate: int
    default: bool

    def __str__(self) -> str:
        return f"{self.number}  {self.name} ({self.api}, {self.rate} Hz){'  default' if self.default else ''}"


class DeviceState(NamedTuple):
    """active: whether the device still plays. load: of its callback, 0 to 1. dry: blocks before which it ran dry.

    peak: since the last call. latency: s from the core to the output, as the device says. frames: played.
    """

    active: bool
    load: float
    dry: int
    peak: float
    latency: float
    frames: int


def load_portaudio() -> ModuleType:
    """Returns the package sounddevice. Raises ConfigError where it or its library is not installed."""
    try:
        import sounddevice
    except ImportError as error:
        raise ConfigError(f"playing needs the extra live: {EXTRA}") from error
    except OSError as error:
        advice = _LINUX if sys.platform.startswith("linux") else f"install the package sounddevice again: {EXTRA}"
        raise ConfigError(f"PortAudio, which plays audio, is not there; {advice}") from error
    return sounddevice


def audio_devices() -> list[DeviceInfo]:
    """Returns the devices that play, as they are now. Raises ConfigError without PortAudio."""
    sound = load_portaudio()
    with contextlib.suppress(sound.PortAudioError):
        sound._terminate()  # it lists devices once, when it starts
    try:
        sound._initialize()
        apis, found = sound.query_hostapis(), sound.query_devices()
        default = _default(sound, found, apis)
    except sound.PortAudioError as error:
        raise AudioError(f"the audio devices cannot be listed: {_reason(error)}") from error
    return [
        DeviceInfo(
            number,
            one["name"],
            apis[one["hostapi"]]["name"],
            one["max_output_channels"],
            round(one["default_samplerate"]),
            number == default,
        )
        for number, one in enumerate(found)
        if one["max_output_channels"] > 0
    ]


def choose_device(devices: Sequence[DeviceInfo], wanted: str | None) -> DeviceInfo:
    """Returns the device of a number or a part of a name, in any case; None: the system's. Raises AudioError, ConfigError."""
    if not devices:
        raise AudioError(f"there is no audio device that plays; connect one, or start JACK or PulseAudio; {_OFFLINE}")
    if wanted is None:
        return next((one for one in devices if one.default), devices[0])
    if wanted.isdecimal():
        found = [one for one in devices if one.number == int(wanted)]
    else:
        name = wanted.casefold()
        found = [one for one in devices if one.name.casefold() == name] or [one for one in devices if name in one.name.casefold()]
    names = "; ".join(f"{one.number} {one.name}" for one in devices)
    if not found:
        raise ConfigError(f"there is no audio device {wanted!r}; there are: {names}")
    if len({one.name for one in found}) > 1:
        raise ConfigError(
            f"{wanted!r} names several audio devices: {', '.join(one.name for one in found)}; give more of the name, or its number"
        )
    return next((one for one in found if one.default), found[0])


class Device:
    """A device that plays an engine. Use it as a context manager, or call `close`."""

    def __init__(self, engine: Engine, info: DeviceInfo, *, block: int = 64, room: int = 0):
        """block: frames of a callback, 0: as the device likes. room: frames that `take` may be late, a power of 2; 0: `take` gives nothing.

        Raises AudioError where the device does not open, ConfigError for a rate that it lacks.
        """
        self._sound: Any = load_portaudio()
        self.info, self._block, self._engine = info, block, engine
        self.channels = min(2, info.channels)
        self._check_rate(engine.sample_rate)
        engine.go_live()
        self._output: Output = engine.mixer.output(channels=self.channels, room=room)
        self._frames, self._since = 0, time.monotonic()
        self.lost = False  # whether it can only come back by itself
        self._stream = self._open()

    @property
    def native(self) -> bool:
        """Whether the core's own callback plays, and no Python."""
        return self._output.callback is not None

    def state(self) -> DeviceState:
        """Returns the figures of now."""
        seen: OutputState = self._output.state()
        active, load = False, 0.0
        with contextlib.suppress(self._sound.PortAudioError):
            active, load = bool(self._stream.active) and self._moves(seen.frames), float(self._stream.cpu_load)
        return DeviceState(active, load, seen.underflows, seen.peak, float(self._stream.latency), seen.frames)

    def _moves(self, frames: int) -> bool:
        """Returns whether blocks were asked for lately. A JACK server that ended leaves its streams active."""
        now = time.monotonic()
        if frames != self._frames:
            self._frames, self._since = frames, now
        moves = now - self._since < _STALLED
        self.lost = not moves and any(api["name"].startswith("JACK") for api in self._sound.query_hostapis())
        return moves

    def take(self) -> tuple[np.ndarray, int]:
        """Returns what was played since the last call `(frames, channels)`, and how many frames were lost so far."""
        return self._output.take()

    def reopen(self) -> bool:
        """Opens the device again after it vanished, by its name. Returns whether it plays."""
        if self.lost:
            return False
        self._stop()
        try:
            found = [one for one in audio_devices() if (one.name, one.api) == (self.info.name, self.info.api)]
            if not found:
                return False
            self.info = found[0]
            self._stream = self._open()
        except TimbrespaceError:
            return False
        return True

    def close(self) -> None:
        """Stops playing."""
        self._stop()

    def __enter__(self) -> Device:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def _open(self) -> Any:
        sound = self._sound
        options: dict[str, Any] = {
            "samplerate": self._engine.sample_rate, "blocksize": self._block, "device": self.info.number, "channels": self.channels,
            "dtype": "float32", "latency": "low",
        }  # fmt: skip
        try:
            if self._output.callback is not None:
                cast = sound._ffi.cast
                callback, data = cast("PaStreamCallback*", self._output.callback), cast("void*", self._output.data)
                stream = sound._StreamBase(kind="output", callback=callback, userdata=data, **options)
            else:
                stream = sound.RawOutputStream(callback=self._serve, **options)
            stream.start()
            self._since = time.monotonic()
        except sound.PortAudioError as error:
            raise AudioError(f"{self.info.name} does not open: {_reason(error)}; --list shows the devices") from error
        return stream

    def _serve(self, out: Any, frames: int, _: Any, status: Any) -> None:
        """The callback in Python, where the core is WebAssembly."""
        out[:] = self._output.block(frames, underflow=bool(status.output_underflow)).tobytes()

    def _check_rate(self, rate: int) -> None:
        """Raises ConfigError for a rate that the device lacks."""
        if self._has(rate):
            return
        others = sorted({one for one in (*RATES, self.info.rate) if self._has(one)})
        advice = f"give --rate {others[0]}" if others else "choose another device with --device"
        listed = f"; it has {', '.join(str(one) for one in others)}" if others else ""
        raise ConfigError(f"{self.info.name} does not play at {rate} Hz{listed}: {advice}")

    def _has(self, rate: int) -> bool:
        sound = self._sound
        try:
            sound.check_output_settings(device=self.info.number, channels=self.channels, dtype="float32", samplerate=rate)
        except sound.PortAudioError:
            return False
        return True

    def _stop(self) -> None:
        if self.lost:  # ending PortAudio would end the process: it asserts that the JACK server answers
            self._sound._initialized = 0
        with contextlib.suppress(self._sound.PortAudioError):
            self._stream.abort(ignore_errors=True)
            self._stream.close(ignore_errors=True)


def _default(sound: ModuleType, devices: Sequence[Any], apis: Sequence[Any]) -> int | None:
    """The number of the device that plays by default: that of the first system that has one."""
    chosen = sound.default.device[1]
    if chosen is not None and int(chosen) >= 0:
        return int(chosen)
    found = [int(api["default_output_device"]) for api in apis if int(api["default_output_device"]) >= 0]
    playing = [number for number in found if devices[number]["max_output_channels"] > 0]
    return playing[0] if playing else None


def _reason(error: Exception) -> str:
    """What PortAudio says, in one line."""
    return str(error.args[0] if error.args else error).splitlines()[0]
