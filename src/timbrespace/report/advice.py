"""What a card means for its owner, and what to do: an early stop, no improvement, an overfit ratio, few test sounds."""

from __future__ import annotations

from typing import Any

from timbrespace.training.history import OVERFIT_LIMIT

FEW_TEST_SOUNDS = 5  # a mean over fewer says little


def advice_lines(card: dict[str, Any], settings: dict[str, Any] | None = None) -> list[str]:
    """Returns a sentence for each number of a card that needs one. settings: of the instrument, for the size of its latent.

    Parts that the card lacks, or that have another type, give no line.
    """
    training, reconstruction = (part if isinstance(part := card.get(name), dict) else {} for name in ("training", "reconstruction"))
    model = (settings or {}).get("model")
    lines = [
        early_stop(training), never_improved(training), overfitting(training, model if isinstance(model, dict) else {}),
        few_test_sounds(reconstruction),
    ]  # fmt: skip
    return [line for line in lines if line]


def early_stop(training: dict[str, Any]) -> str:
    """Returns why the training ended before its time, "" if it did not."""
    if training.get("stopped_early") is not True:
        return ""
    epochs, minutes, patience, seconds = (training.get(name) for name in ("epochs_asked", "minutes_asked", "patience", "seconds"))
    asked = f"--epochs {epochs:g}" if isinstance(epochs, (int, float)) else ""
    if not asked and isinstance(minutes, (int, float)):
        asked = f"--minutes {minutes:g}"
    took = [part for part in seconds.values() if isinstance(part, (int, float))] if isinstance(seconds, dict) else []
    ended = (f"{asked} ended" if asked else "the training ended") + (f" after {sum(took):.0f} s" if took else "")
    checks = f"for {patience} checks" if isinstance(patience, int) else "for long enough"
    return (
        f"stopped early: {ended}, because no check was better {checks}; the best state is kept, more time would not help "
        "(more patience: --set training.patience=N)"
    )


def never_improved(training: dict[str, Any]) -> str:
    """Returns that no check of a stage was better than the state before its first step, and what to do; "" if one was."""
    curve = training.get("curve")
    errors, numbers = (curve.get(name) if isinstance(curve, dict) else None for name in ("validation", "stage"))
    if not isinstance(errors, list) or not all(isinstance(error, (int, float)) for error in errors):
        return ""
    stages = numbers if isinstance(numbers, list) and len(numbers) == len(errors) else [1.0] * len(errors)
    names = list(dict.fromkeys(stages))
    for name in names:
        first, *later = (error for error, stage in zip(errors, stages, strict=True) if stage == name)
        if later and not min(later) < first:
            which = f"stage {name:g} of the training" if len(names) > 1 and isinstance(name, (int, float)) else "the training"
            kept = "; the instrument is its start" if training.get("best_step") == 0 else ""
            return (
                f"{which} never improved on its start: an error of {first:.3g} before the first step, of {min(later):.3g} at the best "
                f"check after it{kept}; find a learning rate with `train --find-lr`, or give it more time (--minutes or --epochs) "
                "or more sounds"
            )
    return ""


def overfitting(training: dict[str, Any], model: dict[str, Any]) -> str:
    """Returns what an overfit ratio above the limit means and what to do, "" for one below it."""
    ratio, dims = training.get("overfit_ratio"), model.get("dims")
    if not isinstance(ratio, (int, float)) or ratio <= OVERFIT_LIMIT:
        return ""
    smaller = f", or a smaller latent (--set model.dims={dims // 2}, now {dims})" if isinstance(dims, int) and dims >= 4 else ""
    return (
        f"overfit ratio {ratio:.2g}, over {OVERFIT_LIMIT}: the model knows its training sounds much better than others of their kind; "
        f"new sounds stay near the training sounds, and `reconstruct`, `vary` and `morph` of other sounds are less faithful; "
        f"more sounds help most{smaller}"
    )


def few_test_sounds(reconstruction: dict[str, Any]) -> str:
    """Returns how far a card that was measured on a few sounds can be trusted, "" for one of enough sounds."""
    count, split = reconstruction.get("sounds"), reconstruction.get("on")
    if not isinstance(count, int) or count >= FEW_TEST_SOUNDS:
        return ""
    sounds = f"{count} {split} sound{'' if count == 1 else 's'}"
    return (
        f"the card rests on {sounds}: another choice of sounds would give other errors; listen to `timbrespace reconstruct` instead. "
        f"A tenth of the sounds is kept for the test, so from {10 * FEW_TEST_SOUNDS} sounds on it rests on {FEW_TEST_SOUNDS} or more"
    )
