"""SFZ, the text format of sfizz, ARIA, liquidsfz and many DAWs."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from timbrespace.export.base import Exporter, ReadZone
from timbrespace.export.kit import Zone, is_pitched, one_line

RELEASE = 0.25  # s: fade of a pitched note after its key is released


class SFZ(Exporter):
    """One `<region>` a zone. Drums play to their end, pitched notes until their key is released."""

    title = "SFZ"
    suffix = ".sfz"
    forbidden = "=$#<"  # start opcodes, variables, directives and headers, even inside a sample's path

    def text(self, title: str, zones: Sequence[Zone]) -> str:
        """Returns the file: one `<global>`, a `<group>` for each choke group, a `<region>` a zone."""
        pitched = is_pitched(zones)
        playing = f"loop_mode=no_loop ampeg_release={RELEASE}" if pitched else "loop_mode=one_shot"
        lines = [f"// {one_line(title)}: {len(zones)} sounds, made by timbrespace", "", f"<global> {playing}", ""]
        for choke, members in groupby(sorted(zones, key=lambda zone: (zone.choke or "", zone.low)), key=lambda zone: zone.choke):
            lines.append("<group>" if choke is None else "<group> group=1 off_by=1 off_mode=fast")
            for zone in members:
                keys = f"lokey={zone.low} hikey={zone.high} pitch_keycenter={zone.root}" if pitched else f"key={zone.root}"
                lines += [f"// {one_line(zone.entry.label)}", f"<region> {keys}", f"sample={zone.entry.file.as_posix()}", ""]
        return "\n".join(lines)

    def read(self, path: Path) -> list[ReadZone]:
        """Returns the regions. Reads what `text` writes, not SFZ in general. Raises ValueError for a region without sample or keys."""
        text = re.sub(r"(?m)^//.*$", "", path.read_bytes().decode("utf-8"))
        zones = []
        for body in re.findall(r"<region>([^<]*)", text):
            opcodes: dict[str, str] = dict(re.findall(r"(\w+)=(.*?)(?=\s+\w+=|\s*$|\s*\n)", body))
            key = opcodes.get("key", "")  # of drums, in place of the three opcodes of pitched sounds
            try:
                keys = [int(opcodes.get(name, key)) for name in ("lokey", "hikey", "pitch_keycenter")]
                zones.append(ReadZone(opcodes["sample"], *keys))
            except (KeyError, ValueError):
                raise ValueError(f"a region has only {', '.join(opcodes) or 'no opcodes'}") from None
        return zones
