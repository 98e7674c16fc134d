"""Optional packages of the verbs that play."""

from __future__ import annotations

from timbrespace.contracts import ConfigError


def check_web() -> None:
    """Raises ConfigError where the packages of a server are missing."""
    try:
        import fastapi  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"the package {error.name!r} is not installed; install what a server needs: pip install 'timbrespace[web]'"
        ) from None
