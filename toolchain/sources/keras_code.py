"""Tells which parts of a Keras model's configuration run more than a network when it is loaded.

Lambda holds marshalled Python code; some layers open files that the configuration names; a
configuration may ask for any function of any module that Python can import; and Keras 2's
TFOpLambda names any function of TensorFlow. What Keras' own safe mode lets through has changed
with its versions, so the rule stands here: modules and layers that only compute, and no others.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

# Parts of Keras, behind its package's name, that hold what networks are made of.
_MODULES = (
    *("layers", "models", "initializers", "regularizers", "constraints", "activations"),
    *("dtype_policies", "mixed_precision", "quantizers", "ops", "random"),
    # Recorded of models that were compiled; not loaded.
    *("optimizers", "losses", "metrics"),
    # Where Keras 2 keeps its models.
    *("engine.functional", "engine.sequential", "engine.training", "engine.input_layer"),
)
_PACKAGES = ("keras", "tf_keras")
# Keras looks a name without a module up among its own functions.
_BUILT_IN = "builtins"
_LAMBDAS = frozenset({"Lambda", "__lambda__"})
# They load other files, or run another library's code.
_LOADING = frozenset({"TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
_TF_CALLS = frozenset(
    {"TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty"}
)
# What Keras 2 records for arithmetic between layers; MobileNetV3's hard swish is some.
_COMPUTING = ("math.", "nn.", "__operators__.", "image.", "clip_by_value", "cast", "reshape")


def parts(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a configuration, nested models' included, in order."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += reversed(value.values())
        elif isinstance(value, list):
            waiting += reversed(value)


def foreign(config: Any) -> str | None:
    """Name the first part of a configuration that is more than a network, or return None."""
    for part in parts(config):
        if found := _foreign(part):
            return found
    return None


def _foreign(part: dict[str, Any]) -> str | None:
    kind = part.get("class_name")
    kind = kind if kind is None else str(kind)
    inner = part.get("config")
    inner = inner if isinstance(inner, dict) else {}
    name = inner.get("name", kind)
    if kind in _LAMBDAS or part.get("function_type") == "lambda":
        return f"the Lambda layer {inner.get('name', 'lambda')!r}"
    if kind in _LOADING:
        return f"the {kind} {name!r}"
    if isinstance(inner.get("vocabulary"), str):
        return f"the {kind} {name!r} with the file {inner['vocabulary']!r}"
    if kind in _TF_CALLS:
        function = str(inner.get("function", kind))
        if not function.startswith(_COMPUTING):
            return f"a call of tf.{function}"
    module = part.get("module")
    if isinstance(module, str) and kind is not None and not _is_network(module):
        return f"{part.get('config') if kind == 'function' else kind!r} of the module {module!r}"
    return None


def _is_network(module: str) -> bool:
    """Tell whether a module is one of Keras' with nothing in it but parts of networks."""
    package, _, below = module.partition(".")
    if module == _BUILT_IN or (package in _PACKAGES and not below):
        return True
    below = below.removeprefix("src.").removeprefix("api.")
    return package in _PACKAGES and any(
        below == known or below.startswith(f"{known}.") for known in _MODULES
    )
