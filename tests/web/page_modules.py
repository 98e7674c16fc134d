"""The page's modules in a tab of their own, so that a test can call one function."""

from __future__ import annotations

from typing import Any

from timbrespace.web.join import STATIC, join


def load(tab: Any, **modules: tuple[str, ...]) -> None:
    """Gives a tab names of modules, e.g. `state=("session",)`, as `window.found`: a second time, apart from those that it plays with."""
    imports = "".join(f'import {{ {", ".join(names)} }} from "./{module}.js";\n' for module, names in modules.items())
    every = ", ".join(name for names in modules.values() for name in names)
    entry = f"{imports}window.found = {{ {every} }};\n"
    tab.evaluate(join("entry.js", lambda name: entry if name == "entry.js" else (STATIC / name).read_text(encoding="utf-8")))
