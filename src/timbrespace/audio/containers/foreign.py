"""Identifies files that libsndfile does not read, and what to do about them."""

from __future__ import annotations

from timbrespace.audio.containers.base import Header, Remark, Source, promised

_BEGINNINGS = (
    (b"MAC ", "APE", "Monkey's Audio"), (b"wvpk", "WavPack", "WavPack"), (b"TTA1", "TTA", "True Audio"), (b"TTA2", "TTA", "True Audio"),
    (b"tBaK", "TAK", "TAK"), (b"OFR ", "OFR", "OptimFROG"), (b"MPCK", "MPC", "Musepack"), (b"MP+", "MPC", "Musepack"),
    (b"#!AMR", "AMR", "AMR"), (b"\x0b\x77", "AC-3", "AC-3"), (b"\x7f\xfe\x80\x01", "DTS", "DTS"), (b"DSD ", "DSF", "DSD"),
    (b"FRM8", "DFF", "DSD"), (b".RMF", "RealMedia", "RealAudio"), (b".ra\xfd", "RealAudio", "RealAudio"), (b"ajkg", "SHN", "Shorten"),
    (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "ASF", "Windows Media Audio"), (b"\x1a\x45\xdf\xa3", "Matroska", "Matroska or WebM"),
    (b"ADIF", "AAC", "AAC"),
)  # fmt: skip
_NO_SOUND = (
    (b"version https://git-lfs", "is a Git LFS pointer: the sound itself was not downloaded", "run `git lfs pull` in its repository"),
    (b"<!DOCTYPE", "is a web page under the name of a sound file", "download the sound again"),
    (b"<!doctype", "is a web page under the name of a sound file", "download the sound again"),
    (b"<html", "is a web page under the name of a sound file", "download the sound again"),
    (b"MThd", "is a MIDI file: notes, not a sound", "render it to WAV"),
    (b"PK\x03\x04", "is a ZIP archive", "unpack it"), (b"Rar!", "is a RAR archive", "unpack it"),
    (b"\x1f\x8b", "is a gzip archive", "unpack it"), (b"7z\xbc\xaf", "is a 7-Zip archive", "unpack it"),
    (b"\x00\x05\x16\x07", "is the resource fork that macOS keeps beside a file", "take it out of the folder"),
    (b"\x00\x05\x16\x00", "is the resource fork that macOS keeps beside a file", "take it out of the folder"),
)  # fmt: skip
_MP4_CODECS = {
    b"mp4a": "AAC", b"alac": "ALAC", b"ac-3": "AC-3", b"ec-3": "E-AC-3", b"Opus": "Opus", b"fLaC": "FLAC", b"samr": "AMR", b".mp3": "MP3",
    b"ima4": "IMA4", b"sowt": "PCM", b"twos": "PCM", b"lpcm": "PCM",
    b"in24": "PCM", b"in32": "PCM", b"fl32": "PCM", b"fl64": "PCM", b"ulaw": "µ-law", b"alaw": "A-law",
}  # fmt: skip
_LOCKED = (b"drms", b"enca")


def inspect_foreign(source: Source) -> Header | None:
    """The header of a file that no other inspection recognises; None if it is unknown. Raises OSError."""
    head = source.head
    for start, reason, advice in _NO_SOUND:
        if head.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(start):
            return Header(damage=reason, advice=advice)
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide") or (head[4:8] == b"free" and b"moov" in head):
        return _mp4(source)
    if head[:4] == b"CAT " and b"REX2" in head[:64]:
        return Header("REX2", damage="is a REX2 loop, which only its maker's library reads", advice="export its slices as WAV or AIFF")
    for start, name, codec in _BEGINNINGS:
        if head.startswith(start):
            return Header(name, codec=codec)
    if len(head) > 6 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:
        return Header("AAC", codec="AAC")
    return None


def _mp4(source: Source) -> Header:
    """The header of an MP4 file. Its box `moov`, at the start or at the end, has the codec."""
    position, table, sound = 0, None, False
    remarks: tuple[Remark, ...] = ()
    while position + 8 <= source.size:
        head = source.read(position, 16)
        length, name = int.from_bytes(head[:4], "big"), head[4:8]
        if length == 1:
            length = int.from_bytes(head[8:16], "big")
        if length == 0:
            length = source.size - position
        if length < 8 or position + length > source.size:
            if table is not None and sound:  # all that is needed came before
                if any(source.read(position, 65_536)):
                    remarks = (Remark("extra", f"{source.size - position} bytes follow the sound; they are not read"),)
                break
            if length < 8:
                break
            return Header("M4A", damage=promised("bytes", position + length, source.size))
        sound = sound or name == b"mdat"
        if name == b"moov":
            table = position, length
        position += length
    if table is None:
        return Header("M4A", damage="truncated: the table with the position of the sound (moov) is missing")
    data = source.read(table[0], min(table[1], 1 << 24))
    at, codecs = data.find(b"stsd"), []
    while at >= 0:
        codecs.append(data[at + 16 : at + 20])
        at = data.find(b"stsd", at + 4)
    if any(codec in _LOCKED for codec in codecs):
        return Header("M4A", damage="is copy-protected", advice="use a copy without protection")
    known = [_MP4_CODECS[codec] for codec in codecs if codec in _MP4_CODECS]
    return Header("M4A", codec=f"{known[0] if known else 'an unknown codec'} in MP4", remarks=remarks)
