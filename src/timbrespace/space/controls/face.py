"""The methods of an instrument that steer sounds; a part of the class `Instrument`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from timbrespace.contracts import ConfigError

if TYPE_CHECKING:
    from torch import Tensor

    from timbrespace.space.controls.axes import LatentAxes
    from timbrespace.space.controls.wishes import Wishes
    from timbrespace.synthesis.controls import Control
    from timbrespace.synthesis.detail.given import GivenSound
    from timbrespace.synthesis.file.contents import InstrumentContents
    from timbrespace.synthesis.finish import Level
    from timbrespace.synthesis.rendering import Progress
    from timbrespace.synthesis.request import RenderRequest
    from timbrespace.synthesis.sound import Sound
    from timbrespace.synthesis.sounds import Sounds

    Given = GivenSound | Tensor | Path | str


class Steerable:
    """Named controls and principal axes of an instrument."""

    if TYPE_CHECKING:

        @property
        def contents(self) -> InstrumentContents:
            """The parts of the instrument."""

        def _render(self, requests: Sequence[RenderRequest], **options: Any) -> Sounds: ...

    @property
    def controls(self) -> list[Control]:
        """The named controls that work for this instrument, each a `Parameter`: amounts in spreads, range, unit of targets, words.

        They are in the file; for one of an earlier version they are measured at first use, which takes seconds.
        """
        from timbrespace.space.controls.steer import controls_of

        return controls_of(self.contents)

    @property
    def axes(self) -> LatentAxes:
        """The principal axes of the latents, most audible first: positions of sounds on them, and latents of positions (inverse PCA)."""
        from timbrespace.space.controls.axes import LatentAxes
        from timbrespace.space.controls.steer import steering_of

        return LatentAxes.of(steering_of(self.contents).controls)

    def steer(
        self, sound: Given | Sequence[Given], controls: Wishes | None = None, *, seed: int = 0, name: str | None = None,
        level: Level | None = None, out_rate: int | None = None, progress: Progress | None = None, quick: bool = False,
        **wishes: str | float,
    ) -> list[Sound]:  # fmt: skip
        """Returns one sound, or each of several, changed by named controls: `steer("snare.wav", brightness=+1, decay="0.4s")`.

        controls, wishes: name or word of a control, see the property `controls`, and an amount in spreads of the corpus (1.0), a factor
        ("x0.5"), or a target with its unit ("0.4s", "2kHz", "C4", "-12dB"). The other properties and the sound's identity are kept as far
        as the latent space allows: the shortest step that does it, corrected by measuring. Detail is carried along as in `vary`. How far
        each control went, in spreads, is in the recipe (`recipe["asked"]["reached"]`). quick: correct less, while a slider moves.
        With amounts of 0 the result is the sound itself.
        Others as in `vary`. Raises ConfigError, ShapeError, AudioFileError.
        """
        from torch import Tensor

        from timbrespace.space.controls.requests import steer_sources
        from timbrespace.synthesis.detail.given import GivenSound, given_sound
        from timbrespace.synthesis.detail.source import analyse

        if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 2**63:
            raise ConfigError(f"seed is {seed!r}, allowed is a whole number from 0 to {2**63 - 1}")
        given = [sound] if isinstance(sound, GivenSound | Tensor | Path | str) else list(sound)
        sources = [analyse(self.contents, given_sound(self.contents, one)) for one in given]
        requests = steer_sources(self.contents, sources, {**(controls or {}), **wishes}, seed=seed, name=name, quick=quick)
        return self._render(requests, level=level, out_rate=out_rate, progress=progress)
