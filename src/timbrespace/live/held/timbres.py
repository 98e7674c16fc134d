"""The timbres of held voices: decoded at control rate when what is asked for has changed, and handed to the mixer."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import numpy as np

from timbrespace.contracts import TimbrespaceError
from timbrespace.live.held.notes import HeldNotes
from timbrespace.live.held.pitch import Spectrum, loudness, refined
from timbrespace.live.held.source import HeldSource
from timbrespace.live.held.voices import MOST, HeldVoices, Put
from timbrespace.live.sound.choice import Sounds
from timbrespace.live.state import SoundKey
from timbrespace.native.live import PARTIALS, Live

RATE = 100  # spectra a second at most
KINDS = ("bank", "spectrum")
_TONAL = 0.1  # of the energy of a sound: less in its partials is next to nothing
ATTACK, RELEASE = 0.01, 0.12  # s, of voices of a timbre that they share; of all after their key is let go


def timbres_of(sources: Sequence[object]) -> int:
    """Returns how many timbres of a mixer instruments need, one at least: those of notes have one for each voice, also while it fades."""
    shared = sum(isinstance(source, HeldSource) for source in sources)
    return min(64, shared) + (2 * MOST if any(isinstance(source, HeldNotes) for source in sources) else 0) or 1


class Timbres:
    """One timbre for each instrument of spectra that is held, its slot is the instrument's place among them; one for each voice of notes.

    kind: "bank": an oscillator for each partial, which follow the note; "spectrum": an inverse transform, which keeps noise too.
    say: takes a line about a fault.
    """

    def __init__(
        self, mixer: Live, sources: Sequence[object], sounds: Sounds, *, kind: str, say: Callable[[str], None], humanise: float = 0.0,
        seed: int = 0,
    ):  # fmt: skip
        self._mixer, self._sounds, self.kind, self._say = mixer, sounds, kind, say
        self._sources = {number: source for number, source in enumerate(sources) if isinstance(source, HeldSource)}
        self._slots = {program: slot for slot, program in enumerate(self._sources)}
        self._sent: dict[int, SoundKey] = {}
        self._pitches: dict[int, float] = {}
        self._turn = threading.Lock()  # of decoding and handing over
        self._worker: threading.Thread | None = None
        self._closed = threading.Event()
        self._noisy: set[int] = set()
        self.step = mixer.sample_rate // RATE
        notes = {number: source for number, source in enumerate(sources) if isinstance(source, HeldNotes)}
        first = len(self._sources)
        self._notes = HeldVoices(
            mixer, notes, sounds, kind=kind, timbres=range(first, first + 2 * MOST), step=self.step, release=RELEASE,
            humanise=humanise, seed=seed,
        )  # fmt: skip
        self._any = bool(self._sources or notes)

    def start(
        self, program: int, number: int, note: float, velocity: float, *, channel: int, start: int, now: int, bend: float, put: Put
    ) -> None:
        """Starts a voice of an instrument. put: calls the mixer, see `Calls.put`. The rest: see `HeldVoices.start`."""
        if program in self._notes:
            try:
                self._notes.start(program, number, note, velocity, channel=channel, start=start, now=now, bend=bend, put=put)
            except TimbrespaceError as error:
                self._say(f"note {note:g}: {error}")
            return
        self.send(start, only=program)
        options = {"kind": self.kind, "timbre": self._slots[program], "velocity": velocity, "seed": number}
        put("hold", number, note, time=start, attack=ATTACK, release=RELEASE, **options)
        if bend:
            put("move", number, "bend", bend, time=start, seconds=0.0)

    def let_go(self, number: int, when: int) -> None:
        """Notes that a voice is let go at a sample."""
        self._notes.let_go(number, when)

    def silence(self, when: int) -> None:
        """Notes that all voices fade out at a sample."""
        self._notes.silence(when)

    def render(self, time: int, frames: int) -> np.ndarray:
        """Returns the next samples `(frames, 2)` of the mixer from `time` on; timbres follow at times that do not depend on the blocks."""
        if not self._any:
            return self._mixer.render(frames)
        pieces, place = [np.zeros((0, 2), np.float32)], time
        while place < time + frames:
            if place % self.step == 0:
                self.send(place)
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

    def send(self, time: int, *, only: int | None = None) -> None:
        """Hands over what has changed of timbres that were used. time: from when on. only: of one instrument, from its first use on."""
        for program, source in self._sources.items():
            if program == only or (only is None and program in self._sent):
                with self._turn:
                    key = self._sounds.held_key(program)
                    if self._sent.get(program) != key:
                        try:
                            self._hand_over(program, source, key, time)
                        except TimbrespaceError as error:  # such as a full queue: the next turn tries again
                            self._say(f"{source.title}: {error}")

    def _follow(self) -> None:
        while not self._closed.wait(self.step / self._mixer.sample_rate):
            self.send(0)
            self._advance(self._mixer.state().time, 0, ahead=True)

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

    def _hand_over(self, program: int, source: HeldSource, key: SoundKey, time: int) -> None:
        seconds = self.step / self._mixer.sample_rate if program in self._sent else 0.0
        frame = source.frame(key, self._pitches.get(program))
        spectrum, slot = frame.spectrum, self._slots[program]
        spacing, width = spectrum.spacing, spectrum.bandwidth
        ratios, amplitudes = self._mixer.partials_of(
            spectrum.magnitudes, spacing=spacing, hertz=frame.pitch, bandwidth=width, count=PARTIALS
        )
        pitch = refined(frame.pitch, ratios, amplitudes)
        if self.kind == "bank":
            self._tell_noise(program, source.title, spectrum, amplitudes)
            self._mixer.partials(slot, ratios * (frame.pitch / pitch), amplitudes, seconds=seconds, time=time)
        else:
            self._mixer.spectrum(slot, spectrum.magnitudes, spacing=spacing, hertz=pitch, bandwidth=width, seconds=seconds, time=time)
        self._sent[program], self._pitches[program] = key, pitch
