"""A folder of sounds in, an instrument out, new sounds from it.

    import timbrespace

    timbrespace.train("my snares", "snares.safetensors", minutes=3)
    for sound in timbrespace.load("snares.safetensors").generate(16, seed=1):
        print(sound.name, sound.nearest, sound.novelty)

Importing timbrespace takes milliseconds: the module of a name is imported when the name is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from timbrespace.corpus.corpus import Corpus as Corpus
    from timbrespace.corpus.prepare import prepare as prepare
    from timbrespace.evaluation.evaluate import evaluate as evaluate
    from timbrespace.instrument import Instrument as Instrument
    from timbrespace.instrument import load as load
    from timbrespace.training.train import train as train

__version__ = "0.1.0"  # the only place; pyproject.toml and the command line read it here

__all__ = ["Corpus", "Instrument", "__version__", "evaluate", "load", "prepare", "train"]

_MODULES = {
    "Corpus": "timbrespace.corpus.corpus",
    "Instrument": "timbrespace.instrument",
    "evaluate": "timbrespace.evaluation.evaluate",
    "load": "timbrespace.instrument",
    "prepare": "timbrespace.corpus.prepare",
    "train": "timbrespace.training.train",
}


def __getattr__(name: str) -> Any:
    """Returns a public name; its module is imported at the first use. Raises AttributeError for any other name."""
    try:
        module = _MODULES[name]
    except KeyError:
        raise AttributeError(f"module 'timbrespace' has no attribute {name!r}; it offers {', '.join(__all__)}") from None
    value = getattr(import_module(module), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Returns the public names, imported or not."""
    return sorted({*globals(), *__all__})
