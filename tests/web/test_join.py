"""Joining the modules of the page: order, one scope, and what is refused."""

from __future__ import annotations

import re

import pytest

from timbrespace.web.join import STATIC, JoinError, join, top_names


def joined(files: dict[str, str]) -> str:
    return join("main.js", files.__getitem__)


def test_a_module_comes_after_those_it_imports() -> None:
    script = joined({
        "main.js": 'import { two } from "./b.js";\nimport { one } from "./a.js";\none(two);\n',
        "b.js": 'import { one } from "./a.js";\nexport const two = one() + 1;\n',
        "a.js": "export function one() { return 1; }\n",
    })  # fmt: skip
    assert script.index("function one") < script.index("const two") < script.index("one(two)")
    assert script.count("function one") == 1
    assert "import" not in script
    assert "export" not in script


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"main.js": 'import { x } from "./a.js";\n', "a.js": "const x = 1;\n"}, "does not export"),
        ({"main.js": 'import { y } from "./a.js";\nconst x = 1;\n', "a.js": "export const y = 1, x = 2;\n"}, "both have x"),
        ({"main.js": 'import { a } from "./a.js";\n', "a.js": 'import { m } from "./main.js";\nexport const a = 1;\n'}, "one way"),
        ({"main.js": 'import x from "./a.js";\n', "a.js": ""}, "another form"),
        ({"main.js": "export default 3;\n"}, "another form"),
        ({"main.js": 'const x = "</script>";\n'}, "cannot hold"),
    ],
)  # fmt: skip
def test_what_cannot_be_joined(files: dict[str, str], fault: str) -> None:
    with pytest.raises(JoinError, match=fault):
        joined(files)


def test_names_at_the_top() -> None:
    text = "export async function a() {\n  const inner = 1;\n}\nlet b = [1, 2], c, d = { e: 1 };\nconst { f, g } = b;\n"
    text += "const j = 'one, two', k = \"it's, then\", l = `a, ${b}, c`;\n"
    text += "class H {}\nexport const i = () => 1;\n"
    assert top_names(text) == ["a", "b", "c", "d", "f", "g", "j", "k", "l", "H", "i"]


@pytest.mark.parametrize("entry", ["main.js", "worker.js", "worklet.js"])
def test_the_page_s_own_modules(entry: str) -> None:
    script = join(entry)
    assert script.startswith("(() => {\n")
    assert all(word not in script for word in ("https:", "http:", "eval(", "innerHTML", "document.write"))


def test_every_name_is_used() -> None:
    """A name at the top of a module, and each that it imports, occurs a second time: in the module, or exported in another."""
    texts = {path.name: path.read_text(encoding="utf-8") for path in STATIC.glob("*.js")}
    bodies = {name: re.sub(r"^import .*\n|//.*|/\*.*?\*/", "", text, flags=re.MULTILINE) for name, text in texts.items()}
    for name, text in texts.items():
        others = "".join(body for other, body in bodies.items() if other != name)
        for own in top_names(text):
            exported = re.search(rf"^export .*\b{re.escape(own)}\b", text, re.MULTILINE) is not None
            count = len(re.findall(rf"(?<![\w$]){re.escape(own)}(?![\w$])", bodies[name]))
            assert count > 1 or (exported and re.search(rf"(?<![\w$]){re.escape(own)}(?![\w$])", others)), (name, own)
        for imported in re.findall(r"^import \{([^}]*)\}", text, re.MULTILINE):
            for own in (word.strip() for word in imported.split(",")):
                assert re.search(rf"(?<![\w$]){re.escape(own)}(?![\w$])", bodies[name]), (name, own)


def test_every_element_that_a_module_names_is_in_the_page() -> None:
    ids = set(re.findall(r'id="([\w-]+)"', (STATIC / "page.html").read_text(encoding="utf-8")))
    for path in STATIC.glob("*.js"):
        named = set(re.findall(r'\bget\("([\w-]+)"\)', path.read_text(encoding="utf-8")))
        assert named <= ids, path.name
