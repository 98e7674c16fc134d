"""The methods of an instrument for recordings of any length; a part of the class `Instrument`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrespace.contracts import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.synthesis.detail.given import GivenSound
    from timbrespace.synthesis.file.contents import InstrumentContents
    from timbrespace.synthesis.finish import Level
    from timbrespace.synthesis.rendering import Progress
    from timbrespace.synthesis.sound import Sound
    from timbrespace.synthesis.sounds import Sounds
    from timbrespace.synthesis.transfer.job import Job

    Given = GivenSound | Tensor | Path | str

_MOST_SEED = 2**63
_LONG_SECONDS = 60.0  # a file that is longer is not read as a whole


class Recordings:
    """Reconstruction, variation and morphs of recordings, in windows that fade into each other."""

    if TYPE_CHECKING:

        @property
        def contents(self) -> InstrumentContents:
            """The parts of the instrument."""

        @property
        def sample_rate(self) -> int:
            """Sample rate in Hz."""

        @property
        def channels(self) -> int:
            """Channels of its sounds."""

        @property
        def longest(self) -> int | None:
            """Samples of the longest sound that is encoded whole."""

        def decode(self, z: Tensor, *, length: int | None = None, seed: int = 0, texture: bool = False) -> Tensor:
            """See `Instrument.decode`."""

        def read(self, path: Path | str) -> Tensor:
            """See `Instrument.read`."""

    def reconstruct(
        self, audio: Tensor | Path | str, *, sample_rate: int | None = None, seed: int = 0, stretch: float = 1.0,
        progress: Progress | None = None,
    ) -> Tensor:  # fmt: skip
        """Returns a sound `(channels, time)` encoded and decoded, with the same length, time grid and peak, at the instrument's rate.

        audio: samples `(channels, time)`, or a file. sample_rate: Hz of samples, if not the instrument's. Audio longer than the model
        encodes, and for a time-varying latent audio longer than 30 s, is encoded in windows that fade into each other, each with the
        power that it has in the recording. stretch: factor of the duration, 0.25 to 4. progress: of long recordings, called with seconds
        done and of all. Raises ShapeError, ConfigError, AudioFileError.
        """
        import torch

        from timbrespace.synthesis import encoding
        from timbrespace.synthesis.transfer.job import reconstruction

        check_seed(seed)
        contents = self.contents
        if isinstance(audio, Path | str):
            audio = audio if stretch != 1 or self.is_long_file(audio) else self.read(audio)
        elif sample_rate not in (None, self.sample_rate):
            encoding.check_sound(contents, audio)
            audio = encoding.at_own_rate(contents, audio, sample_rate)
        if isinstance(audio, Path | str) or stretch != 1 or self.needs_windows(audio):
            return torch.from_numpy(reconstruction(contents, audio, seed=seed, stretch=stretch).render(contents, progress=progress).array())
        sound, start = encoding.from_onset(contents, audio)
        encoded = encoding.encode(contents, sound)
        decoded = self.decode(encoded.z, length=encoded.length, seed=seed)
        result = torch.zeros(self.channels, audio.shape[-1])
        result[:, start : start + encoded.length] = (decoded * encoded.peak)[:, : max(0, audio.shape[-1] - start)]
        return result

    def is_long_file(self, path: Path | str) -> bool:
        """Returns whether a sound file is too long to be read as a whole. Raises AudioFileError."""
        from timbrespace.synthesis.transfer.recording import seconds_of

        return seconds_of(Path(path)) > _LONG_SECONDS

    def needs_windows(self, audio: Tensor) -> bool:
        """Returns whether samples `(channels, time)` are reconstructed in windows: from the onset, they are longer than the model encodes.

        Raises ShapeError.
        """
        from timbrespace.synthesis.encoding import from_onset
        from timbrespace.synthesis.transfer.job import is_recording

        length = from_onset(self.contents, audio)[0].shape[1]
        return is_recording(self.contents, length) if self.longest is None else length > self.longest

    def morph_over_time(
        self, recordings: Sequence[Given], *, curve: Sequence[float] | None = None, align: bool = False, stretch: float = 1.0,
        seed: int = 0, name: str | None = None, level: Level | None = None, out_rate: int | None = None, progress: Progress | None = None,
    ) -> Sound:  # fmt: skip
        """Returns one recording that begins as the first of `recordings` and ends as the last, at the pace of both.

        recordings: files of any length, or samples `(channels, time)` at the instrument's rate. curve: places among them over time, evenly
        spread and linear between: 0 is the first, 1 the second …, up to 1.3 beyond the ends; None: from the first to the last while all
        of them sound, then the last one to its end. align: stretch all to the longest; else they start together at their own tempo.
        stretch: factor of the duration, 0.25 to 4. Others as in `vary`. Raises ConfigError, ShapeError, AudioFileError.
        """
        from timbrespace.synthesis.transfer.job import morph

        check_seed(seed)
        job = morph(self.contents, list(recordings), curve=curve, align=align, stretch=stretch, seed=seed)
        return self._rendered([job], [name or job.stem], level=level, out_rate=out_rate, progress=progress)[0]

    def is_recording(self, sound: Given) -> bool:
        """Returns whether a sound is much longer than those of the instrument: `vary` varies it as a recording. Raises AudioFileError."""
        from timbrespace.synthesis.transfer.job import is_recording
        from timbrespace.synthesis.transfer.recording import seconds_of

        if isinstance(sound, Path | str):
            return is_recording(self.contents, round(seconds_of(Path(sound)) * self.sample_rate))
        samples: Any = getattr(sound, "audio", sound)
        return bool(getattr(samples, "ndim", 0)) and is_recording(self.contents, samples.shape[-1])

    def _varied(
        self, sound: Given, count: int, *, amount: float, seed: int, stretch: float, name: str | None, **options: Any
    ) -> Sounds:  # fmt: skip
        """Variations of a recording, see `Instrument.vary`."""
        from timbrespace.synthesis.names import safe_name
        from timbrespace.synthesis.transfer.job import variations

        jobs = variations(self.contents, sound, count, amount=amount, seed=seed, stretch=stretch)
        stem = safe_name(jobs[0].stem if name is None else f"{name} varied")
        return self._rendered(jobs, [f"{stem} {number + 1:03d}" for number in range(len(jobs))], **options)

    def _rendered(
        self, jobs: Sequence[Job], names: Sequence[str], *, level: Level | None = None, out_rate: int | None = None,
        progress: Progress | None = None,
    ) -> Sounds:  # fmt: skip
        """The results of jobs; their samples are mapped from temporary files."""
        from timbrespace.synthesis.sounds import Sounds

        contents, rate = self.contents, self.sample_rate if out_rate is None else out_rate
        totals = [max(1, round(job.samples / contents.sample_rate)) for job in jobs]
        sounds = Sounds()
        for number, (job, name) in enumerate(zip(jobs, names, strict=True)):
            take = job.render(contents, progress=_part(progress, sum(totals[:number]), sum(totals))).at_rate(rate)
            audio, gain = take.array(), take.gain(level)
            if gain != 1:
                audio *= gain
            sounds.append(finished(job, contents, audio, name=name, level=level, rate=rate))
        return sounds

    def _replayed(self, values: dict[str, Any], sources: Any) -> Sound:
        """The result of a recipe again."""
        from timbrespace.synthesis.transfer.job import from_recipe, recipe_options

        job = from_recipe(self.contents, values, sources)
        name, level, rate = recipe_options(values)
        return self._rendered([job], [name], level=level, out_rate=rate)[0]


def finished(job: Job, contents: InstrumentContents, audio: Any, *, name: str, level: Level | None, rate: int) -> Sound:
    """Returns the sound of a job's result `(channels, time)`."""
    from timbrespace.synthesis.sound import Sound

    return Sound(name, audio, rate, job.recipe(contents, name=name, level=level, rate=rate), is_own=job.is_own)


def check_seed(seed: int) -> None:
    """Raises ConfigError unless a seed is a whole number in range."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < _MOST_SEED:
        raise ConfigError(f"seed is {seed!r}, allowed is a whole number from 0 to {_MOST_SEED - 1}")


def _part(progress: Progress | None, before: int, total: int) -> Callable[[int, int], None] | None:
    return None if progress is None else lambda done, _: progress(before + done, total)
