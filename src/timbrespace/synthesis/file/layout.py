"""Names inside an instrument file, and the limits of what it may hold."""

from __future__ import annotations

FORMAT, VERSION = "timbrespace-instrument", 1
VOICES_FORMAT = "timbrespace-voices"  # of files of voices, see voices/file.py
DESIGN_FORMAT = "timbrespace-voice-design"  # of files of source D's designs, see voices/arrays/file.py
KEY = "timbrespace"  # of the JSON header among the metadata
CHECKSUM = "checksum"  # key of the JSON header, see `header.checksum_of`
MODEL, SPACE, TRAJECTORIES, NORMALISATION, CLIPS = "model.", "space.", "trajectories.", "normalisation.", "clips."
NOTES = "notes."
DETAIL = "detail."
NAME_WORDS = "name_words."
CONTROLS = "controls."
SCALE, REST = ".scale", ".rest"  # after the name of a tensor of 8 bits, see `bits`
UNDEFINED = -1e4  # in place of a descriptor that is not defined: a file holds finite numbers alone
HALF_PRECISION = {"basis"}  # of the model: most of the file, and already rounded to half precision when it was fitted
EMBEDDING_FEATURES = 68  # of `audio.embedding.embedding`

LARGEST_FILE = 4 << 30  # bytes
LONGEST_CLIP = 60.0  # s
MOST_LEVEL = 400.0  # dB, of a map of levels
MOST_CELLS = 1 << 26  # frames of a clip times bands (or steps of a coarse time axis): a header must not ask for gigabytes

# Old name (or prefix, with its dot) of a tensor -> today's.
TENSOR_ALIASES = {"paths.": TRAJECTORIES, "clips.places": f"{CLIPS}positions"}


def current_name(name: str) -> str:
    """Returns today's name of a tensor that an older file may call otherwise."""
    for old, new in TENSOR_ALIASES.items():
        if name == old or (old.endswith(".") and name.startswith(old)):
            return new + name.removeprefix(old)
    return name
