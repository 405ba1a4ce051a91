"""Lets several commands share a group of options, which is written once as a dataclass."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from typing import TYPE_CHECKING, Any, TypeVar, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Callable

Result = TypeVar("Result")


def grouped(command: Callable[..., Result]) -> Callable[..., Result]:
    """Give a command the options of each dataclass among its parameters' types.

    Args:
        command: A function such as `build(out, fetching)`, where the type of `fetching` is a
            dataclass whose fields are annotated as options.

    Returns:
        A command whose signature has these fields instead of the parameter, so that Typer sees
        them as options. The function receives an instance with their values.
    """
    hints = get_type_hints(command, include_extras=True)
    groups: dict[str, Callable[..., Any]] = {}
    options = []
    for name, parameter in inspect.signature(command).parameters.items():
        if dataclasses.is_dataclass(hints[name]):
            groups[name] = hints[name]
            options += _options(hints[name])
        else:
            options.append(_option(parameter, hints[name]))

    @functools.wraps(command)
    def run(**given: Any) -> Result:
        for name, group in groups.items():
            fields = inspect.signature(group).parameters
            given[name] = group(**{option: given.pop(option) for option in fields})
        return command(**given)

    run.__signature__ = inspect.Signature(options)  # type: ignore[attr-defined]
    run.__annotations__ = {option.name: option.annotation for option in options}
    return run


def _options(group: Any) -> list[inspect.Parameter]:
    hints = get_type_hints(group, include_extras=True)
    parameters = inspect.signature(group).parameters
    return [_option(parameter, hints[name]) for name, parameter in parameters.items()]


def _option(parameter: inspect.Parameter, annotation: Any) -> inspect.Parameter:
    # Keyword-only, because parameters without a default may then follow those with one.
    return parameter.replace(annotation=annotation, kind=inspect.Parameter.KEYWORD_ONLY)
