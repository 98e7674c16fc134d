"""`timbrespace reconstruct X FILES|FOLDER --out DIR`: encode and decode; keeps relative names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.cli.common.options import Force, InstrumentPath, Json, OutFolder, Seed, Subtype
from timbrespace.cli.sounds.extras import Extras, Kit, Reel
from timbrespace.cli.sounds.recordings import Stretch, check_stretch

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.instrument import Instrument
    from timbrespace.report.results import Original
    from timbrespace.synthesis.sound import Sound
    from timbrespace.synthesis.transfer.take import Take

_PAGE_HELP = "Also write index.html: each original beside its reconstruction, to compare; it holds copies of the originals."
_LEAD = (
    "Each original beside what the instrument makes of it. Click a picture to listen, or the round button for one after the other. "
    "Originals are as the instrument reads them: its rate and channels, without offset."
)
_ORIGINALS = "index_files/originals"


def reconstruct(
    instrument: InstrumentPath,
    sources: Annotated[list[Path], typer.Argument(metavar="FILE|FOLDER", help="Sound files, or folders of them.", show_default=False)],
    out: OutFolder,
    kit: Kit = False,
    reel: Reel = False,
    page: Annotated[bool, typer.Option("--page", help=_PAGE_HELP)] = False,
    stretch: Stretch = 1.0,
    seed: Seed = 0,
    subtype: Subtype = "PCM_24",
    force: Force = False,
    json: Json = False,
) -> None:
    """Encode and decode sounds of any length: the results have the same names, lengths and levels."""
    from timbrespace.atomic import check_absent
    from timbrespace.cli.common.corpus import progress_bar
    from timbrespace.cli.common.options import check_not_inputs, check_outputs, open_instrument
    from timbrespace.contracts import TimbrespaceError
    from timbrespace.outputs import output_paths

    check_outputs(out, subtype=subtype)
    check_stretch(stretch)
    problems: list[tuple[Path, str]] = []
    jobs = [(path, target.with_name(f"{target.name}.wav")) for path, target in output_paths(sources, out, problems=problems)]
    extras = Extras(kit, reel, page, out, instrument, force)
    check_not_inputs([*(target for _, target in jobs), *extras.targets], [path for path, _ in jobs])
    _check_apart(jobs, extras)
    for _, target in jobs:
        check_absent(target, force=force)
    extras.check()
    opened = open_instrument(instrument)
    batch = _Batch(opened, out, extras, seed=seed, stretch=stretch, subtype=subtype, force=force)
    batch.skipped = [{"file": str(path), "reason": reason} for path, reason in problems]
    with progress_bar("reconstructing", quiet=json) as progress:
        batch.reconstruct(jobs, progress)
    _print_batch(batch, extras=batch.write_extras(), json=json)
    if not batch.written:
        raise TimbrespaceError("none of the files could be reconstructed; see the reasons above")


def _check_apart(jobs: list[tuple[Path, Path]], extras: Extras) -> None:
    """Raises OutputExistsError where a reconstruction would have the name of the reel, or be in the page's folder of its own."""
    from timbrespace.contracts import OutputExistsError

    taken = {target.resolve() for target in extras.targets}
    own = (extras.out / "index_files").resolve()
    for path, target in jobs:
        if target.resolve() in taken or (extras.page and own in target.resolve().parents):
            raise OutputExistsError(
                f"the reconstruction of {path} would be {target}, a name that --page, --reel or --kit needs; leave these out, or rename "
                "the file"
            )


@dataclass
class _Batch:
    """Reconstructions of files, what was passed over, and, where a kit, reel or page is asked for, the sounds themselves."""

    instrument: Instrument
    out: Path
    extras: Extras
    seed: int
    stretch: float
    subtype: str
    force: bool
    written: list[Path] = field(default_factory=list)
    skipped: list[dict[str, str]] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    unlike: list[dict[str, Any]] = field(default_factory=list)
    sounds: list[Sound] = field(default_factory=list)
    originals: list[Original] = field(default_factory=list)

    def reconstruct(self, jobs: list[tuple[Path, Path]], progress: Callable[[int, int], None] | None) -> None:
        """Reads, reconstructs and writes every file; jobs: pairs (input, output). A bad file is skipped. Raises TimbrespaceError."""
        from timbrespace.atomic import is_name_too_long
        from timbrespace.audio.files import write
        from timbrespace.cli.sounds.given import unlike
        from timbrespace.contracts import TimbrespaceError
        from timbrespace.synthesis.transfer.take import Take, as_tensor

        for done, (path, target) in enumerate(jobs):
            try:
                reconstruction: Take | Tensor
                whole = None if self.stretch != 1 or self.instrument.is_long_file(path) else self.instrument.read(path)
                row = None if whole is None else unlike(self.instrument, path, whole)
                if whole is None or self.instrument.needs_windows(whole):
                    reconstruction = self._in_windows(path)
                    self.cut += [str(path)] if self.stretch == 1 else []
                else:
                    reconstruction = self.instrument.reconstruct(whole, seed=self.seed)
            except TimbrespaceError as error:
                self.skipped.append({"file": str(path), "reason": str(error).removeprefix(f"{path}: ")})
                continue
            finally:
                if progress is not None:
                    progress(done + 1, len(jobs))
            try:
                if isinstance(reconstruction, Take):
                    reconstruction.write(target, gain=reconstruction.gain(None), subtype=self.subtype, force=self.force)
                else:
                    write(target, reconstruction, self.instrument.sample_rate, subtype=self.subtype, force=self.force)
            except TimbrespaceError as error:
                if not is_name_too_long(error):  # a full disk ends the run
                    raise
                self.skipped.append({"file": str(path), "reason": str(error)})
                continue
            self.written.append(target)
            self.unlike += [row] if row is not None else []
            if self.extras:
                self._keep(path, target, self.instrument.read(path) if whole is None else whole, as_tensor(reconstruction))

    def _in_windows(self, path: Path) -> Take:
        """The reconstruction of a recording, in a temporary file."""
        from timbrespace.synthesis.transfer.job import reconstruction

        contents = self.instrument.contents
        return reconstruction(contents, path, seed=self.seed, stretch=self.stretch).render(contents)

    def write_extras(self) -> dict[str, Any]:
        """Writes the kit, the reel and the page of the sounds that were written, if there are any; returns what each is -> its path."""
        if not self.sounds:
            return {}
        return self.extras.write(
            self.sounds,
            self.written,
            self.instrument,
            heading="Reconstructions",
            noun="reconstruction",
            lead=_LEAD,
            originals=self.originals,
        )

    def _keep(self, path: Path, target: Path, audio: Tensor, reconstruction: Tensor) -> None:
        """Keeps a reconstruction for kit, reel and page; for a page also writes its original and measures the error."""
        from timbrespace.audio.arrays.notes import root_note
        from timbrespace.audio.distance import log_mel_error
        from timbrespace.audio.files import write
        from timbrespace.report.results import Original
        from timbrespace.synthesis.sound import Sound

        rate = self.instrument.sample_rate
        kind = self.instrument.kind_of(audio, file=path)
        name = target.relative_to(self.out).with_suffix("").as_posix()
        note = root_note(reconstruction.numpy(), rate) if self.extras.kit else None
        category = kind.category if kind else None
        self.sounds.append(Sound(name, reconstruction, rate, category=category, root_note=note))
        if self.extras.page:
            file = f"{_ORIGINALS}/{len(self.sounds):04d}.wav"
            write(self.out / file, audio, rate, subtype=self.subtype, force=True)
            self.originals.append(Original(file, audio, float(log_mel_error([audio], [reconstruction], sample_rate=rate)[0])))


def _print_batch(batch: _Batch, *, extras: dict[str, Any], json: bool) -> None:
    """Prints what was written and what was passed over, or all of it as JSON."""
    from timbrespace.cli.common.corpus import print_json
    from timbrespace.cli.common.text import printable, skipped_lines
    from timbrespace.cli.sounds.given import print_unlike
    from timbrespace.wording import counted

    instrument = batch.instrument
    longest = None if instrument.longest is None else instrument.longest / instrument.sample_rate
    if json:
        written = [str(path) for path in batch.written]
        rows = {"written": written, "skipped": batch.skipped, "longer_than_the_model": batch.cut, "longest_seconds": longest}
        print_json(rows | {"unlike": batch.unlike} | extras)
        return
    for line in skipped_lines(batch.skipped, rest="--json lists all"):
        print(line)
    print_unlike(batch.unlike)
    if batch.cut and longest is not None:
        verb = "is" if len(batch.cut) == 1 else "are"
        print(f"{counted(len(batch.cut), 'file')} {verb} longer than the {longest:.2f} s that this model encodes at once: done in windows")
    print(f"{counted(len(batch.written), 'sound')} in {printable(batch.out)}")
    for label, value in extras.items():
        print(f"{label}: {printable(value)}")
