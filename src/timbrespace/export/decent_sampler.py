"""Decent Sampler presets (`.dspreset`, XML)."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from xml.etree import ElementTree

from timbrespace.export.base import Exporter, ReadZone
from timbrespace.export.kit import Zone, is_pitched, one_line
from timbrespace.synthesis.names import safe_name

RELEASE = 0.25  # s: fade of a pitched note after its key is released
CHOKE = 0.02  # s: fade of an open hat that a closed one silences


class DecentSampler(Exporter):
    """One `<group>` a kind of sound, one `<sample>` a zone."""

    title = "Decent Sampler"
    suffix = ".dspreset"

    def text(self, title: str, zones: Sequence[Zone]) -> str:
        """Returns the XML file."""
        root = ElementTree.Element("DecentSampler", minVersion="1.0.0")
        root.append(ElementTree.Comment(f" {one_line(title).replace('--', '- -')}: {len(zones)} sounds, made by timbrespace "))
        groups = ElementTree.SubElement(root, "groups")
        pitched = is_pitched(zones)
        for name, members in groupby(sorted(zones, key=lambda zone: (_group_of(zone), zone.low)), key=_group_of):
            tag = "-".join(safe_name(name).replace(",", " ").split()).lower()  # a comma separates tags
            group = ElementTree.SubElement(groups, "group", tags=tag)
            for zone in members:
                if zone.choke is not None:
                    group.attrib |= {"silencedByTags": tag, "silencingMode": "fast", "silencingDecay": str(CHOKE)}
                sample = ElementTree.SubElement(group, "sample", path=zone.entry.file.as_posix(), rootNote=str(zone.root))
                sample.attrib |= {"loNote": str(zone.low), "hiNote": str(zone.high), "loopEnabled": "false"}
                # Without its envelope a sample plays to its end, whether the key is held or not.
                sample.attrib |= {"release": str(RELEASE)} if pitched else {"ampEnvEnabled": "false"}
        ElementTree.indent(root)
        return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"

    def read(self, path: Path) -> list[ReadZone]:
        """Returns the samples of all groups. Raises ValueError for XML that does not parse, or a sample without path or keys."""
        try:
            samples = list(ElementTree.fromstring(path.read_bytes()).iter("sample"))
            return [
                ReadZone(sample.attrib["path"], *(int(sample.attrib[key]) for key in ("loNote", "hiNote", "rootNote")))
                for sample in samples
            ]
        except (ElementTree.ParseError, KeyError) as error:
            raise ValueError(str(error)) from None


def _group_of(zone: Zone) -> str:
    """Name of the group that a zone belongs to."""
    return zone.choke or zone.entry.kind or zone.entry.category or "sounds"
