"""Marks the tests of `make check`: those that need no TensorFlow, browser, server or other program.

No test is marked by hand. The search starts at a test and its fixtures and follows the names that
their code holds, function by function, through the tests and the package. A name may belong to
code that this test never runs, so some light tests are not marked. What the search misses, a guard
reports: where the light tests run alone, a heavy import, a bound socket or a start of the command
fails the test. Add the name that leads there to the sets below.
"""

from __future__ import annotations

import dis
import functools
import inspect
import os
import sys
from importlib import import_module
from importlib.util import find_spec
from types import CellType, CodeType, FunctionType, ModuleType
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LIBRARIES = {
    "distributed",
    "keras",
    "moto",
    "tensorflow",
    "tensorflow_hub",
    "tensorflowjs",
    "tf_keras",
}
"""Libraries whose import takes seconds."""
NAMES = {
    "HTTPServer",
    "ThreadingHTTPServer",
    "ThreadingTCPServer",
    "create_server",
    "listen",
    "sync_playwright",
}
"""Names of whatever listens for connections or starts a browser."""
MODULES = {"tests.command_line", "tests.web_servers", "toolchain.smoke_test.node"}
"""Our modules that run other programs for seconds: the command, servers, Node."""
STARTERS = {"multiprocessing", "subprocess"}
"""Modules by which a test itself starts another program or process; ours may, such as git."""
PROGRAMS = {"caddy", "nginx", "run-driver", "serve", "sshd", "toolchain"}
"""Words that the guard looks for in commands; `run-driver` starts Playwright."""
OURS = ("tests", "toolchain")
_PLAIN = (str, bytes, int, float, type(None))
"""What most values are; they hold nothing."""


def mark(items: Iterable[pytest.Item]) -> None:
    """Mark each test that reaches nothing heavy as `light`."""
    search = Search()
    for item in items:
        if isinstance(item, pytest.Function) and not search.is_heavy(list(roots(item))):
            item.add_marker(pytest.mark.light)


def roots(item: pytest.Function) -> Iterator[Any]:
    """Yield what runs for a test: itself, its fixtures and what its parameters hold."""
    yield item.function
    for fixtures in item._fixtureinfo.name2fixturedefs.values():
        yield fixtures[-1].func
    callspec = getattr(item, "callspec", None)
    yield from callspec.params.values() if callspec else ()


class Search:
    """Walks from functions to what they name, and remembers where it has been."""

    def __init__(self) -> None:
        self._next: dict[Any, list[Any] | None] = {}
        self._light: set[Any] = set()
        self._heavy: set[Any] = set()

    def is_heavy(self, roots: list[Any]) -> bool:
        came_from: dict[Any, Any] = {}
        path: list[tuple[Any, Any]] = [
            (None, root) for value in roots for root in _functions(value)
        ]
        while path:
            parent, function = path.pop()
            if function in came_from or function in self._light:
                continue
            came_from[function] = parent
            named = None if function in self._heavy else self._named_by(function)
            if named is None:
                while function is not None:  # all on the way here reach it too
                    self._heavy.add(function)
                    function = came_from[function]
                return True
            path += [(function, each) for each in named]
        self._light.update(came_from)
        return False

    def _named_by(self, function: FunctionType) -> list[Any] | None:
        if function not in self._next:
            self._next[function] = _named_by(function)
        return self._next[function]


def _named_by(function: FunctionType) -> list[FunctionType] | None:
    """Return the functions of ours that a function names, or None if it names what is heavy."""
    names, imports, strings = _words_in(function.__code__)
    if "import_module" in names:
        imports = imports | strings
    if names & NAMES or {"-m", "toolchain"} <= strings or any(map(_is_library, imports)):
        return None
    values: list[Any] = [function.__globals__.get(name) for name in names]
    if function.__module__.startswith("tests.") and any(map(_is_starter, values)):
        return None
    values += [cell.cell_contents for cell in function.__closure__ or () if cell != CellType()]
    values += [import_module(name) for name in imports if _is_ours(name)]
    found: list[FunctionType] = []
    while values:
        value = values.pop()
        if not isinstance(value, ModuleType):
            if isinstance(value, type) and any(base.__name__ in NAMES for base in value.__mro__):
                return None
            found += _functions(value)
        elif value.__name__ in MODULES or _is_library(value.__name__):
            return None
        elif _is_ours(value.__name__):
            values += [vars(value).get(name) for name in names]
            values += _submodules(value, names)
    return None if any(each.__module__ in MODULES for each in found) else found


def _is_ours(name: str) -> bool:
    return name.partition(".")[0] in OURS


def _is_starter(value: Any) -> bool:
    return isinstance(value, ModuleType) and value.__name__ in STARTERS


def _is_library(name: str) -> bool:
    return name.partition(".")[0] in LIBRARIES


def _submodules(package: ModuleType, names: set[str]) -> list[ModuleType]:
    """Return the modules of a package that a function imports by `from package import module`."""
    return [
        import_module(f"{package.__name__}.{name}")
        for name in names
        if hasattr(package, "__path__") and name.isidentifier() and not hasattr(package, name)
        if find_spec(f"{package.__name__}.{name}")
    ]


@functools.cache
def _words_in(code: CodeType) -> tuple[set[str], set[str], set[str]]:
    """Return the names, imports and strings that code and the functions in it hold."""
    names = set(code.co_names)
    imports: set[str] = set()
    strings: set[Any] = set()
    if any(_is_ours(name) or _is_library(name) for name in names):
        words = dis.get_instructions(code)
        imports = {each.argval for each in words if each.opname == "IMPORT_NAME"}
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            inner = _words_in(constant)
            names, imports, strings = names | inner[0], imports | inner[1], strings | inner[2]
        elif isinstance(constant, (str, tuple)):
            strings |= {constant} if isinstance(constant, str) else set(constant)
    return names, imports, {each for each in strings if isinstance(each, str)}


def _functions(value: Any, depth: int = 4) -> Iterator[FunctionType]:
    """Yield the functions of ours in a value: itself, a class's, those that it wraps or holds."""
    if isinstance(value, FunctionType) and not hasattr(value, "__wrapped__"):
        hypothesis = getattr(value, "hypothesis", None)
        function = value if hypothesis is None else hypothesis.inner_test
        if _is_ours(function.__module__):
            yield function
    elif depth and not isinstance(value, _PLAIN):
        for part in _parts(value):
            yield from _functions(part, depth - 1)


def _parts(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    if isinstance(value, functools.partial):
        return [value.func, value.args, value.keywords]
    if isinstance(value, type):
        ours = [base for base in value.__mro__ if _is_ours(base.__module__)]
        return [part for base in ours for part in vars(base).values() if not isinstance(part, type)]
    if _is_ours(type(value).__module__):
        return [type(value)]
    inner = ("__wrapped__", "__func__", "fget")
    return [getattr(value, name) for name in inner if inspect.getattr_static(value, name, None)]


def guard() -> None:
    """Fail whatever test of this process does something heavy from now on."""
    # pytest's Failed is a BaseException, so the code under test does not catch it.
    sys.addaudithook(_refuse)


def _refuse(event: str, args: tuple[Any, ...]) -> None:
    if event == "import" and args[0].partition(".")[0] in LIBRARIES:
        what = f"imports {args[0].partition('.')[0]}"
    elif event == "socket.bind":
        what = f"binds a socket to {args[1]}"
    elif event == "subprocess.Popen" and (found := PROGRAMS.intersection(_words(args[1]))):
        what = f"starts {found.pop()}"
    else:
        return
    pytest.fail(f"a test that is marked light {what}, which tests/light.py did not find")


def _words(command: Any) -> set[str]:
    """Return the program and the first words of a command, without folders."""
    words = [command] if isinstance(command, (str, bytes)) else list(command)
    return {os.path.basename(os.fsdecode(word)) for word in words[:3]}  # noqa: PTH119 - or bytes
