"""The mark of `make check`: found by what a test can reach, and held to the truth by a guard."""

from __future__ import annotations

import functools
import http.server
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from tests import light, tiny_models
from tests.browser import plain_host
from toolchain import tf as tensorflow

if TYPE_CHECKING:
    from collections.abc import Callable


class Server(http.server.ThreadingHTTPServer):
    pass


class Caller:
    def method(self) -> Any:
        return tensorflow.load()


def by_name() -> Any:
    return tensorflow.load()


def through_a_module() -> Any:
    return tiny_models.saved_model


def through_an_import() -> Any:
    from toolchain.pipeline import build

    return build


def through_a_class() -> Any:
    return Caller().method()


def through_a_context() -> Any:
    return plain_host


def through_a_base_class() -> Any:
    return Server


def in_a_nested_function() -> Any:
    def inner() -> Any:
        return by_name()

    return inner


def as_a_child() -> Any:
    return subprocess.run([sys.executable, "-m", "toolchain", "build"], check=False)


def a_name_of_the_module_alone() -> str:
    return tensorflow.VERBOSE


def labels() -> Any:
    return tiny_models.names()


@pytest.mark.parametrize(
    ("function", "is_heavy"),
    [
        (by_name, True),
        (through_a_module, True),
        (through_an_import, True),
        (through_a_class, True),
        (through_a_context, True),
        (through_a_base_class, True),
        (in_a_nested_function, True),
        (as_a_child, True),
        (functools.partial(by_name), True),
        (a_name_of_the_module_alone, False),
        (labels, False),
    ],
)
def test_what_a_test_can_reach_is_searched(function: Callable[[], Any], *, is_heavy: bool) -> None:
    assert light.Search().is_heavy([function]) is is_heavy


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("import tensorflow", "imports tensorflow"),
        ("import keras.layers", "imports keras"),
        ("import socket; socket.socket().bind(('127.0.0.1', 0))", "binds a socket"),
        ("import subprocess; subprocess.run(['/usr/sbin/nginx', '-v'])", "starts nginx"),
        (
            "import subprocess, sys; subprocess.run([sys.executable, '-m', 'toolchain', '--help'])",
            "starts toolchain",
        ),
    ],
)
def test_a_light_test_that_does_something_heavy_fails(code: str, said: str) -> None:
    script = f"from tests import light\nlight.guard()\ntry:\n    {code}\nexcept Exception: pass"
    ended = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert f"a test that is marked light {said}" in ended.stderr


def test_a_heavy_fixture_makes_a_heavy_test(request: pytest.FixtureRequest, tiny: Any) -> None:
    assert tiny.is_dir()
    assert light.Search().is_heavy(list(light.roots(request.node)))
