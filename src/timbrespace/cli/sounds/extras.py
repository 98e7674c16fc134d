"""What may be written beside a batch of sounds: a kit for samplers, a reel, a page. The verbs that make sounds share the options."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from timbrespace.export.registry import EXPORTERS

if TYPE_CHECKING:
    from timbrespace.instrument import Instrument
    from timbrespace.report.results import Original
    from timbrespace.synthesis.sound import Sound

_KIT_HELP = f"Also write the batch as a kit for samplers: {', '.join(exporter.title for exporter in EXPORTERS.values())}."
_PAGE_HELP = "Also write index.html: players, spectrograms, favourites to sort and download, the card; with the reel."

Kit = Annotated[bool, typer.Option("--kit", help=_KIT_HELP)]
Reel = Annotated[bool, typer.Option("--reel", help="Also write all sounds one after another into reel.wav.")]
Page = Annotated[bool, typer.Option("--page", help=_PAGE_HELP)]


@dataclass(frozen=True)
class Extras:
    """Files beside the sounds in the folder `out`. instrument: path of its file; kit and page are named after it."""

    kit: bool
    reel: bool
    page: bool
    out: Path
    instrument: Path
    force: bool

    def __bool__(self) -> bool:
        return self.kit or self.reel or self.page

    @property
    def targets(self) -> list[Path]:
        """The files that are written, but for the second and further pages of a large kit, and what the page keeps in index_files."""
        targets: list[Path] = []
        if self.kit:
            targets += [target for exporter in EXPORTERS.values() for target in exporter.targets(self.out, self._kit_name)]
        targets += [self.out / "reel.wav"] if self.reel or self.page else []
        return targets + ([self.out / "index.html"] if self.page else [])

    def check(self) -> None:
        """Raises OutputExistsError where one of the targets is there already."""
        from timbrespace.atomic import check_absent

        for target in self.targets:
            check_absent(target, force=self.force)

    def write(
        self,
        sounds: Sequence[Sound],
        paths: Sequence[Path],
        instrument: Instrument,
        *,
        heading: str,
        noun: str,
        lead: str = "",
        originals: Sequence[Original] = (),
    ) -> dict[str, Any]:
        """Writes the kit, the page (with its reel) or the reel; returns what each is -> its path.

        paths: of the WAV files, one a sound, in or below the folder. heading, noun, lead, originals: of the page, see `report.results`.
        """
        written: dict[str, Any] = {}
        if self.kit:
            written |= self._write_kit(sounds, paths)
        if self.page:
            from timbrespace.report.results import Results, write_results
            from timbrespace.wording import counted

            about = f"{counted(len(sounds), noun)} by {self.instrument.name}."
            title = self.out.resolve().name
            results = Results(
                title, about, instrument, sounds, heading=heading, noun=noun, lead=lead, sounds_folder="", originals=originals
            )
            written["page"] = str(write_results(results, self.out, force=self.force))
        elif self.reel:
            from timbrespace.audio.files import write
            from timbrespace.synthesis.reel import reel

            rate = sounds[0].sample_rate
            write(self.out / "reel.wav", reel([sound.samples for sound in sounds], rate), rate, force=self.force)
            written["reel"] = str(self.out / "reel.wav")
        return written

    @property
    def _kit_name(self) -> str:
        return f"{self.instrument.stem} kit"

    def _write_kit(self, sounds: Sequence[Sound], paths: Sequence[Path]) -> dict[str, Any]:
        """Writes a kit in every format. Files whose names a format cannot hold are left out of it, under "not in the kit"."""
        from timbrespace.export.kits import write_kits

        written, left_out = write_kits(sounds, paths, self.out, name=self._kit_name, force=self.force)
        out: dict[str, Any] = {"kit": ", ".join(map(str, written))}
        return out | ({"not in the kit": ", ".join(left_out)} if left_out else {})
