"""The core of these sources as a library, as users load it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="session")
def library_file(native_script: ModuleType, built: Callable[..., Path]) -> Path:
    """The library of this machine."""
    target = native_script.here()
    return built("public.library", lambda path: native_script.build(path, target))
