"""The timbres of held voices: decoded at control rate when their sound has changed, and handed to the mixer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from timbrespace.contracts import TimbrespaceError
from timbrespace.live.held.groups import GROUPS, Group, Groups
from timbrespace.live.held.notes import HeldNotes
from timbrespace.live.held.pitch import Spectrum, loudness, refined
from timbrespace.live.held.source import Frame, HeldSource
from timbrespace.live.held.voices import MOST, HeldVoices, Put
from timbrespace.live.sound.choice import Sounds
from timbrespace.live.state import SoundKey
from timbrespace.native.live import PARTIALS, Live

RATE = 100  # spectra a second at most
KINDS = ("bank", "spectrum")
_TONAL = 0.1  # of the energy of a sound: less in its partials is next to nothing
_MARGIN = 0.05  # s after a release, until a timbre is another group's
ATTACK, RELEASE = 0.01, 0.12  # s, of voices of a timbre that they share; of all after their key is let go


def timbres_of(sources: Sequence[object]) -> int:
    """Returns how many timbres of a mixer instruments need, one at least: those of notes have one for each voice, also while it fades."""
    return _shared(sources) + (2 * MOST if any(isinstance(source, HeldNotes) for source in sources) else 0) or 1


def _shared(sources: Sequence[object]) -> int:
    """How many of them groups have: one at least for each of 64 instruments of spectra; no more than 64 voices sound."""
    count = sum(isinstance(source, HeldSource) for source in sources)
    return min(max(GROUPS, count), MOST) if count else 0


def partials_of(mixer: Live, spectrum: Spectrum, pitch: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns ratios and amplitudes `(PARTIALS,)` of the oscillators that play a spectrum with a pitch in Hz."""
    spacing, width = spectrum.spacing, spectrum.bandwidth
    return mixer.partials_of(spectrum.magnitudes, spacing=spacing, hertz=pitch, bandwidth=width, count=PARTIALS)


def hear(sources: Sequence[object], mixer: Live, *, kind: str) -> None:
    """Lets instruments of spectra measure what sounds of them, where that is oscillators. Before anything asks for their controls."""
    for source in sources:
        if isinstance(source, HeldSource) and kind == "bank":
            source.partials = lambda spectrum, pitch: partials_of(mixer, spectrum, pitch)[1]


class _Made(NamedTuple):
    """A sound as the mixer gets it. pitch: in Hz. ratios, amplitudes `(count,)`: of its partials."""

    frame: Frame
    pitch: float
    ratios: np.ndarray
    amplitudes: np.ndarray


class Timbres:
    """One timbre for each group of voices of instruments of spectra, see `Groups`; one for each voice of notes.

    kind: "bank": an oscillator for each partial, which follow the note; "spectrum": an inverse transform, which keeps noise too.
    say: takes a line about a fault.
    """

    def __init__(
        self, mixer: Live, sources: Sequence[object], sounds: Sounds, *, kind: str, say: Callable[[str], None], humanise: float = 0.0,
        seed: int = 0,
    ):  # fmt: skip
        self._mixer, self._sounds, self.kind, self._say = mixer, sounds, kind, say
        self._sources = {number: source for number, source in enumerate(sources) if isinstance(source, HeldSource)}
        self._groups = Groups(
            range(shared := _shared(sources)), fade=round((RELEASE + _MARGIN) * mixer.sample_rate), programs=self._sources
        )  # fmt: skip
        self._sent: dict[Group, tuple[int, SoundKey]] = {}  # slot, and the sound that it has
        self._made: dict[int, tuple[SoundKey, _Made]] = {}  # of each instrument the latest
        self._turn = threading.Lock()  # of decoding and handing over
        self._worker: threading.Thread | None = None
        self._closed = threading.Event()
        self._noisy: set[int] = set()
        self.step = mixer.sample_rate // RATE
        notes = {number: source for number, source in enumerate(sources) if isinstance(source, HeldNotes)}
        self._notes = HeldVoices(
            mixer, notes, sounds, kind=kind, timbres=range(shared, shared + 2 * MOST), step=self.step, release=RELEASE,
            humanise=humanise, seed=seed,
        )  # fmt: skip
        self._any = bool(self._sources or notes)

    def start(
        self, program: int, number: int, note: float, velocity: float, *, channel: int, id: Any, start: int, now: int, bend: float, put: Put  # noqa: A002
    ) -> None:  # fmt: skip
        """Starts a voice of an instrument. id: of its note, None: none. put: see `Calls.put`. The rest: see `HeldVoices.start`."""
        if program in self._notes:
            try:
                self._notes.start(program, number, note, velocity, channel=channel, id=id, start=start, now=now, bend=bend, put=put)
            except TimbrespaceError as error:
                self._say(f"note {note:g}: {error}")
            return
        with self._turn:
            group = self._groups.join(Group(program, self._sounds.layer(program, velocity), channel, id), number, max(start, now))
            self._send([group], start, max(start, now))
        options = {"kind": self.kind, "timbre": self._groups.slot(group), "velocity": velocity, "seed": number}
        put("hold", number, note, time=start, attack=ATTACK, release=RELEASE, **options)
        if bend:
            put("move", number, "bend", bend, time=start, seconds=0.0)

    def let_go(self, number: int, when: int) -> None:
        """Notes that a voice is let go at a sample."""
        self._notes.let_go(number, when)
        with self._turn:
            self._groups.leave(number, when)

    def silence(self, when: int) -> None:
        """Notes that all voices fade out at a sample."""
        self._notes.silence(when)
        with self._turn:
            self._groups.leave_all(when)

    def own(self, program: int) -> bool:
        """Returns whether notes of an instrument with ids have timbres of their own."""
        return program in self._sources or program in self._notes

    def render(self, time: int, frames: int) -> np.ndarray:
        """Returns the next samples `(frames, 2)` of the mixer from `time` on; timbres follow at times that do not depend on the blocks."""
        if not self._any:
            return self._mixer.render(frames)
        pieces, place = [np.zeros((0, 2), np.float32)], time
        while place < time + frames:
            if place % self.step == 0:
                self.send(place, place)
                self._advance(place, place)
            stop = min(time + frames, place - place % self.step + self.step)
            pieces.append(self._mixer.render(stop - place))
            place = stop
        return np.concatenate(pieces)

    def follow(self) -> None:
        """Hands timbres over in a thread from now on, while a device plays."""
        if self._any and self._worker is None:
            self._worker = threading.Thread(target=self._follow, name="timbrespace timbres", daemon=True)
            self._worker.start()

    def close(self) -> None:
        """Ends the thread."""
        self._closed.set()
        if self._worker is not None:
            self._worker.join()

    def send(self, time: int, now: int) -> None:
        """Hands over what has changed of timbres that sound. time: from when on. now: the sample at which the mixer is."""
        with self._turn:
            self._send(self._groups.active(now), time, now)

    def _send(self, groups: Sequence[Group], time: int, now: int) -> None:
        for group in [one for one in self._sent if one not in self._groups]:  # their slots are free: the next ones begin anew
            del self._sent[group]
        for group in groups:
            source = self._sources[group.program]
            key = self._sounds.held_key(group.program, layer=group.velocity, channel=group.channel, id=group.id)
            if self._sent.get(group) != (self._groups.slot(group), key):
                try:
                    self._hand_over(group, source, key, time)
                except TimbrespaceError as error:  # such as a full queue: the next turn tries again
                    self._say(f"{source.title}: {error}")

    def _follow(self) -> None:
        while not self._closed.wait(self.step / self._mixer.sample_rate):
            try:
                now = self._mixer.state().time
                self.send(0, now)
                self._advance(now, 0, ahead=True)
            except Exception as error:  # the sound goes on, whatever happens to one frame
                self._say(f"held sounds failed ({type(error).__name__}: {error}); this is a bug in timbrespace")

    def _advance(self, now: int, at: int, *, ahead: bool = False) -> None:
        try:
            self._notes.advance(now, at=at, ahead=ahead)
        except TimbrespaceError as error:  # as in `send`
            self._say(f"held notes: {error}")

    def _tell_noise(self, program: int, title: str, spectrum: Spectrum, amplitudes: np.ndarray) -> None:
        """Says once of an instrument that oscillators leave out nearly all of a sound."""
        if program not in self._noisy and np.square(amplitudes, dtype=np.float64).sum() / 2 < _TONAL * loudness(spectrum) ** 2:
            self._noisy.add(program)
            self._say(f"{title}: this sound is nearly all noise, which oscillators leave out; --held spectrum plays it")

    def _hand_over(self, group: Group, source: HeldSource, key: SoundKey, time: int) -> None:
        slot = self._groups.slot(group)
        seconds = self.step / self._mixer.sample_rate if group in self._sent and self._sent[group][0] == slot else 0.0
        before = self._made.get(group.program)
        made = (
            before[1] if before is not None and before[0] == key else self._make(source, key, None if before is None else before[1].pitch)
        )
        self._made[group.program] = key, made
        spectrum = made.frame.spectrum
        if self.kind == "bank":
            self._tell_noise(group.program, source.title, spectrum, made.amplitudes)
            self._mixer.partials(slot, made.ratios, made.amplitudes, seconds=seconds, time=time)
        else:
            options = {"spacing": spectrum.spacing, "hertz": made.pitch, "bandwidth": spectrum.bandwidth}
            self._mixer.spectrum(slot, spectrum.magnitudes, seconds=seconds, time=time, **options)
        self._sent[group] = slot, key

    def _make(self, source: HeldSource, key: SoundKey, before: float | None) -> _Made:
        """The frame of a sound and its partials. before: the pitch of the one that was made last, in Hz."""
        frame = source.frame(key, before)
        ratios, amplitudes = partials_of(self._mixer, frame.spectrum, frame.pitch)
        amplitudes = amplitudes if frame.gains is None else amplitudes * frame.gains
        pitch = refined(frame.pitch, ratios, amplitudes)
        return _Made(frame, pitch, ratios * (frame.pitch / pitch), amplitudes)
