"""Actions in a few words, for a terminal."""

from __future__ import annotations

from timbrespace.live.actions import Action

_PLAIN = {"all_notes_off": "all notes off", "all_sound_off": "all sound off"}


def described(action: Action) -> str:
    """Returns what happened: "note 60 (100)", "pad 3 (90)", "brightness +0.50"; "" for events that are not shown."""
    name, values = action.name, action.values
    match name:
        case "note_on":
            return f"note {values[0]:g} ({values[1]:.0f})" if values[1] > 0 else ""
        case "pad":
            return f"pad {values[0] + 1} ({values[1] if len(values) > 1 else 100:.0f})"
        case "sustain":
            return "pedal down" if values[0] else "pedal up"
        case "program":
            return f"program {values[0]}"
        case "set_control":
            return f"{values[0]} {values[1]:+.2f}"
        case "set_latent" | "set_axis":
            return f"{'z' if name == 'set_latent' else 'pc'}{values[0] + 1} {values[1]:+.2f}"
        case "set_latents":
            return f"{len(values[0])} latents"
        case "set_map":
            return f"map {values[0]:.2f} {values[1]:.2f}" if values else "map left"
        case "set_morph":
            return f"morph {values[0] + 1} {values[1] + 1} {values[2]:.2f}"
        case "set_gain":
            return f"gain {values[0]:.2f}"
        case "bend" | "pressure" | "timbre":
            return f"{name} {values[0]:+.2f}"
    if name == "transport":
        return f"walk {values[0]}"
    if name.startswith("walk_"):
        return " ".join([name.replace("_", " "), *(f"{value:g}" for value in values)])
    return _PLAIN.get(name, "")
