"""Values that JavaScript exports: data is read, and nothing is run."""

from __future__ import annotations

import json

import pytest

from toolchain.formats import js_literal

VALUE = {"a": 0.5, "b": True, "c": [1, -2000, -0.25], "d": 'it\'s "x"', "e": None}


@pytest.mark.parametrize(
    "script",
    [
        "module.exports={a:.5,b:!0,c:[1.,-2e3,-.25],'d':'it\\'s \"x\"',e:null}",
        'export default {"a":0.5,"b":true,"c":[1,-2000,-0.25],"d":"it\'s \\"x\\"","e":null};',
    ],
)
def test_an_object_is_read_as_json(script: str) -> None:
    assert json.loads(js_literal.as_json(script.encode())) == VALUE


@pytest.mark.parametrize(
    "script",
    [
        *("", "x=1", "module.exports={a:f()}", "module.exports={a:1+1}", "module.exports={a:`x`}"),
        *("module.exports={", "module.exports={a:require('fs')}", "module.exports={a:b}"),
    ],
)
def test_code_is_refused(script: str) -> None:
    with pytest.raises(ValueError, match="export"):
        js_literal.as_json(script.encode())


def test_base64_is_read() -> None:
    assert js_literal.as_bytes(b'a.exports="AAECAw=="},{}]') == bytes([0, 1, 2, 3])
    for damaged in (b'a.exports="AAE"}', b'a.exports="A*"', b"a.exports={}", b"'AAAA'"):
        with pytest.raises(ValueError, match="base64"):
            js_literal.as_bytes(damaged)
