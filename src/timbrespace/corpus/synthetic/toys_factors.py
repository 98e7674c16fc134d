"""The factors of the toy corpora and their values. Labels of the clips are indices into these tuples."""

from __future__ import annotations

RICHNESS_HZ, TOY_HZ = 220.0, 110.0  # fundamental of `richness`; f0 of `additive` and `fm`
CUTOFF_STEP_HZ = 220.5  # cut-off of filter frequency 1: 1/200 of 44.1 kHz, at any rate
SIZE = 4096  # samples of a clip at any rate: one window, one spectrum, one point
BINS = 1025  # of its spectrum that the normalised versions scale
RMS = 0.1  # of every clip that is not silent: all have the same energy
VERSIONS = ("", "-normalised", "-noisy")

# Slowest factor first: clip i of a corpus has the indices of i in an array of this shape, in C order.
_CLEAN: dict[str, dict[str, tuple[float, ...]]] = {
    "richness": {
        "harmonic": tuple(float(n) for n in range(2, 52)),  # the growing one; all below it are complete
        "growth": tuple(k / 200 for k in range(200)),  # its share of 1/n
    },
    "additive": {
        "inharmonicity": tuple(k / 10 for k in range(10)),
        "harmonics": tuple(float(k) for k in range(20)),
        "q": tuple(float(q) for q in range(1, 11)),
        "frequency": tuple(float(f) for f in range(1, 11)),  # cut-off in steps of CUTOFF_STEP_HZ
    },
    "fm": {
        "detune": tuple(1 + k / 2 for k in range(8)),  # tenths of f0 between the carriers
        "ratio": tuple(k / 100 for k in range(10, 45, 5)),  # modulator's frequency over its carrier's
        "index": tuple(float(k) for k in range(0, 32, 4)),
        "frequency": tuple(float(f) for f in range(1, 11)),
        "q": tuple(float(q) for q in range(1, 11)),
    },
}
NOISE = tuple(k / 10 for k in range(10))  # share of the energy that is noise

# Corpus (all versions) -> factor -> values.
FACTORS: dict[str, dict[str, tuple[float, ...]]] = {
    name + version: {**factors, **({"noise": NOISE} if version == "-noisy" else {})}
    for name, factors in _CLEAN.items()
    for version in VERSIONS
}


def toy_shape(name: str) -> tuple[int, ...]:
    """Number of values of each factor: the shape of the grid whose cells are the clips. `noise` is drawn, so it is not an axis."""
    return tuple(len(values) for factor, values in FACTORS[name].items() if factor != "noise")
