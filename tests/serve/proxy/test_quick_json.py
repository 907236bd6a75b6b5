"""JSON is read as the standard library reads it, whoever reads it."""

import json
import math
from typing import Any, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serve.proxy import quick_json

SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=20)


def same(first: Any, second: Any) -> bool:
    return repr(first) == repr(second)  # 1 and 1.0, 0.0 and -0.0 are equal, and not the same


@given(VALUES, st.booleans())
def test_reads_what_the_standard_library_writes(value: Any, ascii_only: bool) -> None:
    raw = json.dumps(value, ensure_ascii=ascii_only).encode(errors="surrogatepass")
    assert same(quick_json.read(raw), json.loads(raw))


@pytest.mark.parametrize(
    "raw",
    [
        b'{"a":1,"a":2}',
        b'"\\ud800"',
        b"[1e400]",
        b"-0",
        b"NaN",
        b"12345678901234567890123",
        b' {"a" : [ ] } \n',
        b"1E2",
    ],
)
def test_reads_oddities_as_the_standard_library_does(raw: bytes) -> None:
    assert same(quick_json.read(raw), json.loads(raw))


@pytest.mark.parametrize("raw", [b"", b"{", b"[1,]", b"{'a':1}", b"01", b'"\x01"', b"[1] 2", b"nul", b'"\\x"', b"+1"])
def test_refuses_what_the_standard_library_refuses(raw: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        quick_json.read(raw)


@pytest.mark.parametrize("raw", [b'"\xff"', b'{"a\xc3":1}', b"\xff"])
def test_refuses_what_is_not_utf_8(raw: bytes) -> None:
    with pytest.raises(UnicodeDecodeError):
        quick_json.read(raw)


def test_the_hooks_see_all_that_json_cannot_carry() -> None:
    def refuse(text: str) -> NoReturn:
        raise ValueError(text)

    def finite(text: str) -> float:
        return float(text) if math.isfinite(float(text)) else refuse(text)

    for raw in (b"[NaN]", b"[-Infinity]", b'{"a":1e999}', b"[0, -1e400]"):
        with pytest.raises(ValueError):
            quick_json.read(raw, parse_constant=refuse, parse_float=finite)
