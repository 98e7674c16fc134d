"""An evaluation in words: what a musician wants to know of an instrument, a line each, with the figures behind it."""

from __future__ import annotations

from typing import Any

from timbrespace.report.verdicts import Verdict, verdicts
from timbrespace.wording import counted

# Shares of a two-sample classifier: it recognises 75 of 100 new drums of the default instrument, and 77 of 100 reconstructions.
_HARDLY, _OFTEN = 0.6, 0.8
_VARIED, _NARROW = 0.85, 0.6  # of the number of different sounds in as many real ones
_KEPT_DB, _LOST_DB = 3.0, 8.0  # change of the level of a frequency band, median over sounds
_OFF = 0.5  # deviations of real sounds, from which an artefact metric is worth a word
_EVEN = 1.6  # largest step of a morph over the mean step
_LEANS = 0.75  # error on sounds that were learned over that on others
_BANDS = {
    "sub": "below 60 Hz", "bass": "60 to 250 Hz", "low mids": "250 to 500 Hz", "mids": "0.5 to 2 kHz", "upper mids": "2 to 4 kHz",
    "presence": "4 to 8 kHz", "treble": "8 to 16 kHz", "air": "above 16 kHz",
}  # fmt: skip
_FAULTS = {
    "tail_db": ("quieter ends", "louder ends"),
    "linger_percent": ("shorter tails", "hazy tails"),
    "stutter_db": ("smoother levels", "steps in the level"),
    "high_flatness_db": ("sharper highs", "smeared highs"),
    "partial_cents": ("purer overtones", "overtones out of tune"),
    "partials_percent": ("fewer clear overtones", "more clear overtones"),
    "click_percent": ("cleaner ends", "clicks at the ends"),
    "highs_db": ("duller", "brighter"),
}
_LESS_IS_A_FAULT = ("highs_db", "partials_percent")  # of the others, more


def words(instrument: dict[str, Any]) -> list[Verdict]:
    """Returns one instrument of an evaluation's values in words; parts that were not measured are left out, see `unmeasured`."""
    lines = [_sounds(instrument), *_as_card(instrument), _separable(instrument), _variety(instrument), _kinds(instrument)]
    lines += [_bands(instrument), _faults(instrument), _morphs(instrument), _own(instrument), _latent(instrument), _factors(instrument)]
    return [line for line in [*lines, _speed(instrument)] if line is not None]


def unmeasured(instrument: dict[str, Any]) -> dict[str, str]:
    """Returns the parts that were not measured, by their headings, with the reasons."""
    out = {HEADINGS[part]: instrument[part]["not_measured"] for part in HEADINGS if "not_measured" in instrument.get(part, {})}
    for row, reason in instrument.get("imitation", {}).get("missing_rows", {}).items():
        out[f"Control row “{row}”"] = reason
    verdict = instrument.get("imitation", {}).get("si_sdr", {})
    if verdict.get("reason"):
        out["SI-SDR"] = verdict["reason"]
    return out


HEADINGS = {
    "imitation": "Imitations",
    "imitation_of_trained": "Imitations of sounds it learned",
    "likeness": "Likeness to real sounds",
    "novelty": "Novelty",
    "artefacts": "Artefacts",
    "kinds": "Kinds",
    "morphs": "Morphs",
    "latent": "Latent space",
    "disentanglement": "Factors",
    "speed": "Speed",
}


def _sounds(instrument: dict[str, Any]) -> Verdict:
    """What the sounds are to the instrument."""
    counts = instrument["sounds"]
    parts = [f"{counts['trained']} it learned from"] if counts["trained"] else []
    parts += [f"{counts['held_out']} its training held out"] if counts["held_out"] else []
    parts += [f"{counts['new']} it never had"] if counts["new"] else []
    parts += [f"{counts['unknown']} that it may have learned or not: the file was stripped"] if counts["unknown"] else []
    on = counts["measured_on"]
    which = "the figures are of sounds that it did not learn"
    if on == "trained":
        which = "it learned all of them, so the figures are better than they would be on other sounds"
    elif counts["unknown"]:
        which = "if it learned them, the figures are too good"
    return Verdict(
        "These sounds", "known to it" if on == "trained" else "", f"{', '.join(parts)}; {which}", "poor" if on == "trained" else ""
    )


def _as_card(instrument: dict[str, Any]) -> list[Verdict]:
    """Imitations and new sounds, in the words of the card."""
    imitation, novelty = instrument["imitation"], instrument["novelty"]
    card: dict[str, Any] = {}
    if "rows" in imitation:
        rows = {name: {key: one["mean"] for key, one in row.items()} for name, row in imitation["rows"].items()}
        on = "train" if instrument["sounds"]["measured_on"] == "trained" else "test"
        card["reconstruction"] = {"on": on, "sounds": imitation["sounds"], "rows": rows}
    if "sounds" in novelty:
        group = {"sounds": novelty["sounds"], "copies": novelty["copies"], "novelty_median": novelty["median"]}
        card["new_sounds"] = group | ({"novelty_reason": novelty["reason"]} if novelty.get("reason") else {})
    return verdicts(card)


def _separable(instrument: dict[str, Any]) -> Verdict | None:
    likeness = instrument["likeness"]
    if "accuracy" not in likeness:
        return None
    share, real = likeness["accuracy"], likeness["real_accuracy"]
    word = "hardly separable" if share <= _HARDLY else "often separable" if share <= _OFTEN else "separable"
    text = f"a classifier recognises the new ones in {_of_100(share)} cases (50 is a guess; among real sounds {_of_100(real)})"
    ratio = likeness.get("frechet_ratio")
    far = f"; as a group they are {ratio:.1f} times as far from real sounds as real sounds are from each other" if ratio else ""
    tone = "good" if share <= _HARDLY else "fair" if share <= _OFTEN else "poor"
    return Verdict("New beside real ones", word, f"{text}{far}; on {counted(likeness['n'], 'sound')} a side", tone)


def _variety(instrument: dict[str, Any]) -> Verdict | None:
    likeness = instrument["likeness"]
    ours, theirs = likeness.get("effective_number"), likeness.get("real_effective_number")
    if not ours or not theirs:
        return None
    share = ours / theirs
    word = "varied" if share >= _VARIED else "less varied" if share >= _NARROW else "narrow"
    text = f"{100 * share:.0f} % of the variety of as many real sounds; {_of_100(likeness['coverage'])} real ones have a new one nearby"
    doubles = f"; {_of_100(likeness['duplicates'])} repeat another new one" if likeness["duplicates"] > 0.005 else ""
    return Verdict("Variety", word, text + doubles, {"varied": "good", "less varied": "fair"}.get(word, "poor"))


def _kinds(instrument: dict[str, Any]) -> Verdict | None:
    kinds = instrument["kinds"]
    if "new" not in kinds:
        return None
    new, real = kinds["new"]["accuracy"], (kinds.get("real") or {}).get("accuracy")
    bar = kinds["chance"] if real is None else real
    tone = "good" if new >= 0.95 * bar else "fair" if new >= 0.75 * bar else "poor"
    beside = "" if real is None else f"; of real sounds it knows {_of_100(real)}"
    confused = kinds["confused"][0] if kinds["confused"] else None
    most = f"; most often {confused['asked']} is taken for {confused['judged']}" if confused and confused["sounds"] > 1 else ""
    word = {"good": "as asked", "fair": "mostly as asked", "poor": "unclear"}[tone]
    return Verdict("Kinds", word, f"a classifier that learned real sounds agrees on {_of_100(new)} new ones{beside}{most}", tone)


def _bands(instrument: dict[str, Any]) -> Verdict | None:
    bands = instrument["imitation"].get("bands", {}).get("instrument")
    if not bands:
        return None
    changes = {name: one["median_change_db"] for name, one in bands.items() if one["median_change_db"] is not None and one["sounds"] >= 3}
    if not changes:
        return None
    name = max(changes, key=lambda band: abs(changes[band]))
    change = changes[name]
    if abs(change) <= _KEPT_DB:
        return Verdict(
            "Highs and lows", "kept", f"no frequency band of an imitation changes by more than {_KEPT_DB:g} dB as a rule", "good"
        )
    gone = "weaker" if change < 0 else "stronger"
    word = f"{name} {'lost' if change < -_LOST_DB else gone}"
    text = f"{_BANDS[name]} is {abs(change):.0f} dB {gone} in imitations than in the originals"
    others = [band for band, value in changes.items() if band != name and abs(value) > _KEPT_DB]
    return Verdict(
        "Highs and lows",
        word,
        text + (f"; also changed: {', '.join(others)}" if others else ""),
        "fair" if abs(change) <= _LOST_DB else "poor",
    )


def _faults(instrument: dict[str, Any]) -> Verdict | None:
    metrics = {key: one["off"] for key, one in instrument["artefacts"].items() if key in _FAULTS and one["off"] is not None}
    if not metrics:
        return None
    far = sorted((key for key, off in metrics.items() if abs(off) > _OFF), key=lambda key: -abs(metrics[key]))
    if not far:
        text = (
            f"new sounds are within {_OFF:g} deviations of real ones in all {len(metrics)} measures: tails, steps, smear, overtones, clicks"
        )
        return Verdict("Faults", "none stand out", text, "good")
    worse = [key for key in far if (metrics[key] < 0) == (key in _LESS_IS_A_FAULT)]
    tone = "" if not worse else "fair" if max(abs(metrics[key]) for key in worse) <= 2 * _OFF else "poor"
    first = (worse or far)[0]
    others = [f"{_FAULTS[key][metrics[key] > 0]} ({metrics[key]:+.1f})" for key in far if key != first]
    text = f"compared with real sounds, by {abs(metrics[first]):.1f} of their standard deviation" + (
        f"; also {', '.join(others)}" if others else ""
    )
    return Verdict("Faults" if worse else "Different", _FAULTS[first][metrics[first] > 0], text, tone)


def _morphs(instrument: dict[str, Any]) -> Verdict | None:
    morphs = instrument["morphs"]
    if "morph" not in morphs or morphs["morph"]["evenness"] is None:
        return None
    ours, faded = morphs["morph"]["evenness"], morphs["cross_fade"]["evenness"]
    word = "even" if ours <= _EVEN else "with jumps" if faded is not None and ours >= faded else "with larger steps"
    beside = f", a cross-fade {faded:.1f}" if faded is not None else ""
    apart = f"half-way they are {morphs['from_cross_fade_db']:.0f} dB from a cross-fade"
    text = f"the largest step is {ours:.1f} times the mean one{beside}; {apart}"
    return Verdict("Morphs", word, text, "good" if ours <= _EVEN else "fair")


def _own(instrument: dict[str, Any]) -> Verdict | None:
    own, other = instrument["imitation_of_trained"], instrument["imitation"]
    if "errors" not in own or "rows" not in other or instrument["sounds"]["measured_on"] == "trained":
        return None
    ours, theirs = own["errors"]["log_mel_db"]["mean"], other["rows"]["instrument"]["log_mel_db"]["mean"]
    word, tone = ("balanced", "good") if ours >= _LEANS * theirs else ("leans on its own sounds", "fair")
    return Verdict("Own and other sounds", word, f"error {ours:.1f} dB on sounds that it learned, {theirs:.1f} dB on others", tone)


def _latent(instrument: dict[str, Any]) -> Verdict | None:
    latent = instrument["latent"]
    if "active_units" not in latent:
        return None
    active, dims = latent["active_units"], latent["dims"]
    word = "all used" if active == dims else f"{active} of {dims} used"
    text = f"{counted(dims, 'number')} describe a sound" + ("" if active == dims else f"; {dims - active} never change")
    return Verdict("Latent space", word, text, "good" if 2 * active >= dims else "poor")


def _factors(instrument: dict[str, Any]) -> Verdict | None:
    found = instrument["disentanglement"]
    if "mig" not in found:
        return None
    dci = found["dci_disentanglement"]
    word = "separate" if found["mig"] > 0.4 else "partly separate" if found["mig"] > 0.15 else "mixed"
    text = f"MIG {found['mig']:.2f}, SAP {found['sap']:.2f}, β-VAE score {found['beta_vae']:.2f} (chance {found['chance']:.2f})"
    return Verdict("Factors", word, text + ("" if dci is None else f", DCI {dci:.2f}") + f"; of {', '.join(found['factors'])}")


def _speed(instrument: dict[str, Any]) -> Verdict | None:
    speed = instrument["speed"]
    if "one_new_seconds" not in speed:
        return None
    encoding = "" if speed["encode_seconds"] is None else f"; {_time(speed['encode_seconds'])} to encode a given one"
    text = f"for one new sound, {_time(speed['batch_seconds_each'])} each in a batch{encoding}; as measured here and now"
    return Verdict("Speed", _time(speed["one_new_seconds"]), text)


def _of_100(share: float) -> str:
    return f"{100 * share:.0f} of 100"


def _time(seconds: float) -> str:
    return f"{1000 * seconds:.0f} ms" if seconds < 0.95 else f"{seconds:.1f} s"
