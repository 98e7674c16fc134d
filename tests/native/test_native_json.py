"""JSON of the core against Python's."""

from __future__ import annotations

import ctypes
import json
import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from native_core import DAMAGED, MEMORY, OK, Arena, Core

DEPTH = 16
NULL, FALSE, TRUE, NUMBER, TEXT, ARRAY, OBJECT = range(7)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(-1e300, 1e300) | TEXTS,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXTS, inner, max_size=5),
    max_leaves=20,
)


class Node(ctypes.Structure):
    """`Json` of json.h."""

    _fields_ = (
        ("key", ctypes.c_void_p), ("text", ctypes.c_void_p), ("number", ctypes.c_double), ("key_size", ctypes.c_uint32),
        ("text_size", ctypes.c_uint32), ("count", ctypes.c_uint32), ("skip", ctypes.c_uint32), ("kind", ctypes.c_uint8),
        ("whole", ctypes.c_uint8), ("flat", ctypes.c_uint8),
    )  # fmt: skip


def read(core: Core, text: bytes, *, size: int = 1 << 20) -> object:
    """The value as Python has it, or the status."""
    arena, out = Arena(size), ctypes.c_void_p()
    data = np.frombuffer(text + b"\0", np.uint8).copy()  # no reading beyond is noticed here, but by the sanitizers
    status = core("json_read", ctypes.byref(out), data, len(text), DEPTH, arena)
    return value_of(core, out) if status == OK else status_of(status)


class Refused(int):
    """A status."""


def status_of(status: int) -> Refused:
    return Refused(status)


def value_of(core: Core, pointer: ctypes.c_void_p) -> object:
    assert pointer.value is not None
    node = Node.from_address(pointer.value)
    children = [ctypes.c_void_p(core("json_item", pointer, index, result=ctypes.c_void_p)) for index in range(core("json_count", pointer))]
    if node.kind == ARRAY:
        return [value_of(core, child) for child in children]
    if node.kind == OBJECT:
        keys = [Node.from_address(child.value) for child in children if child.value]
        return {ctypes.string_at(k.key, k.key_size).decode(): value_of(core, c) for k, c in zip(keys, children, strict=True)}
    if node.kind == NUMBER:
        return int(node.number) if node.whole else node.number
    return {NULL: None, FALSE: False, TRUE: True}.get(node.kind, ctypes.string_at(node.text, node.text_size).decode() if node.text else "")


def near(one: object, other: object) -> bool:
    """Equal, with numbers to the last places."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(near(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-14, abs_tol=1e-300)
    return type(one) is type(other) and one == other


@given(value=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 0, 3]))
@settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_values_are_those_of_python(core: Core, value: object, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    assert near(read(core, text), value)


@pytest.mark.parametrize("text", ["0.2", "1e-05", "0.0015", "44100", "-0.1", "5.713838577270508", "1e22", "123456789012345", "2.5E+3", "0"])
def test_usual_numbers_are_exact(core: Core, text: str) -> None:
    assert read(core, text.encode()) == json.loads(text)


@pytest.mark.parametrize(
    "text",
    [
        b"", b" ", b"{", b"[", b"[1", b"[1,]", b"[,1]", b"{1:2}", b'{"a"}', b'{"a":}', b'{"a":1,}', b"1 2", b"[1]]", b"nul", b"True",
        b"NaN", b"Infinity", b"-Infinity", b"01", b"+1", b".5", b"5.", b"1e", b"1e+", b"-", b"1e999", b"-1e400", b'"', b'"\\', b'"\\x"',
        b'"\\u12"', b'"\\ud800"', b'"\\ud800x"', b'"\\udc00"', b'"\\ud800\\u0041"', b'"\x01"', b'"\xff"', b'"\xc0\x80"',
        b'"\xed\xa0\x80"', b'"\xf5\x80\x80\x80"', b'"\xe2\x82"', b"[" * 17 + b"]" * 17, b"[" * 100_000, b'{"a":' * 100_000,
        b"\xef\xbb\xbf1", b"9" * 400,
    ],
)  # fmt: skip
def test_what_is_no_json_is_refused(core: Core, text: bytes) -> None:
    found = read(core, text, size=8 << 20)
    assert isinstance(found, Refused)
    assert found == DAMAGED


def test_depth_and_pairs_of_surrogates(core: Core) -> None:
    assert read(core, b"[" * 16 + b"]" * 16) == json.loads("[" * 16 + "]" * 16)
    assert read(core, b'"\\ud83e\\udd41 \\u00e9 \\u0000."') == "\U0001f941 \u00e9 \0."


def test_too_little_memory_is_said(core: Core) -> None:
    found = read(core, json.dumps(list(range(100))).encode(), size=1000)
    assert isinstance(found, Refused)
    assert found == MEMORY


def test_the_last_of_equal_keys_counts_as_in_python(core: Core) -> None:
    arena, out, data = Arena(4096), ctypes.c_void_p(), np.frombuffer(b'{"a":{"b":1},"a":{"b":2}}', np.uint8).copy()
    assert core("json_read", ctypes.byref(out), data, len(data), DEPTH, arena) == OK
    found = ctypes.c_void_p(core("json_at", out, ctypes.c_char_p(b"a.b"), result=ctypes.c_void_p))
    assert core("json_number", found, -1.0, result=ctypes.c_double) == 2
    assert core("json_at", out, ctypes.c_char_p(b"a.c"), result=ctypes.c_void_p) is None
