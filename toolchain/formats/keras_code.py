"""Finds the parts of a Keras model's configuration that run other code when it is loaded.

A Lambda layer holds marshalled Python code. Some layers open files that the configuration names.
A configuration may name any function of any module that Python can import, and Keras 2's
TFOpLambda any function of TensorFlow. What Keras' own safe mode allows differs between versions,
so this module has its own rule: it allows only modules and layers that are known to only compute.

For custom layers the file holds only their names, not their code. A SavedModel holds what they
compute, so the messages recommend one.
"""

from __future__ import annotations

import importlib
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from toolchain.text import brief, printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# Modules of Keras, without the package's name, that hold only building blocks of networks.
_MODULES = (
    *("layers", "models", "initializers", "regularizers", "constraints", "activations"),
    *("dtype_policies", "mixed_precision", "quantizers", "ops", "random"),
    # Recorded for compiled models; not loaded.
    *("optimizers", "losses", "metrics"),
    # Where Keras 2 keeps its models.
    *("engine.functional", "engine.sequential", "engine.training", "engine.input_layer"),
)
_PACKAGES = ("keras", "tf_keras")
# Layers of Keras' own applications, with the module that defines each. Those modules are not
# allowed as a whole, because they also hold functions that download weights.
_APPLICATION_LAYERS = {
    "LayerScale": "applications.convnext",
    "StochasticDepth": "applications.convnext",
    "CustomScaleLayer": "applications.inception_resnet_v2",
}
# TensorFlow's own initializers, which tf_keras' EfficientNetV2 names; they only compute.
_TF_INITIALIZERS = "tensorflow.python.ops.init_ops_v2"
# The module of names that Keras looks up among its own functions.
_BUILT_IN = "builtins"
_LAMBDAS = frozenset({"Lambda", "__lambda__"})
# They load other files, or run another library's code.
_LOADING = frozenset({"TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"})
_HUB = "KerasLayer"
_TF_CALLS = frozenset(
    {"TFOpLambda", "SlicingOpLambda", "ClassMethod", "InstanceMethod", "InstanceProperty"}
)
# What Keras 2 records for arithmetic between layers, such as MobileNetV3's hard swish.
_COMPUTING = ("math.", "nn.", "__operators__.", "image.", "clip_by_value", "cast", "reshape")

# How both libraries, and their readers of older formats, report an unknown class or function.
_UNKNOWN = re.compile(
    r"(?:Could not locate \w+ |Unknown [\w ]+: ?|Could not interpret [\w ]+ identifier: "
    r"|Cannot deserialize object of type )['`]?([^'`\s.]+)"
)
_MAX_REASON = 200  # characters of Keras' message to show; it may quote whole configurations


def parts(config: Any) -> Iterator[dict[str, Any]]:
    """Yield every object of a configuration in order, including those of nested models."""
    waiting = [config]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            yield value
            waiting += reversed(value.values())
        elif isinstance(value, list):
            waiting += reversed(value)


@dataclass(frozen=True)
class Foreign:
    """A part of a configuration that could do more than compute."""

    named: str
    """Its kind and name, for messages."""
    does: str = "runs code of the file's author when it is loaded"
    layer: bool = False
    """Whether a layer of Keras can replace it."""


def foreign(config: Any) -> Foreign | None:
    """Return the first part of a configuration that could do more than compute, or None.

    The compile settings are not checked, because they are not loaded.
    """
    if isinstance(config, dict):
        config = {key: value for key, value in config.items() if key != "compile_config"}
    for part in parts(config):
        if found := _foreign(part):
            return found
    return None


def refusal(path: Path, found: Foreign, version: str) -> str:
    """Return a sentence: why a file is not loaded, and what to do.

    Args:
        path: The file.
        found: The part that is not allowed.
        version: Version of the Keras that wrote the file.
    """
    way_out = f"where the model was trained, {_as_folder(version)}"
    if found.layer:
        way_out = "replace it with a named layer and save the model again"
    return (
        f"{path} holds {found.named}, which {found.does}; {way_out}, or give --trust if you know "
        "who made it"
    )


def loading_fault(path: Path, error: BaseException, config: Any, version: str) -> str:
    """Return a sentence: why Keras could not load a file, and what to do.

    Args:
        path: The file.
        error: The error of Keras.
        config: The file's configuration.
        version: Version of the Keras that wrote the file.
    """
    way_out = f"where the model was trained, {_as_folder(version)}"
    said = str(error).strip()
    unknown = _UNKNOWN.search(said)
    # For a function, the libraries report `function`, with its name somewhere in what they quote.
    names = [name for name in _functions(config) if repr(name) in said]
    if unknown and unknown[1] != "function":
        names = [unknown[1]]
    if names:
        return (
            f"{path} holds {printable(names[0])!r}, which is not part of Keras {version} and "
            f"whose code is not in the file; {way_out}"
        )
    reason = brief(said.partition("\n")[0].rstrip("."), _MAX_REASON) or type(error).__name__
    return f"{path} cannot be loaded by Keras {version}: {reason}; {way_out}"


def _functions(config: Any) -> Iterator[str]:
    """Yield the names of functions that are recorded without a module."""
    for part in parts(config):
        if part.get("class_name") == "function" and part.get("module") == _BUILT_IN:
            yield str(part.get("config"))


def _as_folder(version: str) -> str:
    call = "model.export('folder')"
    if not version.startswith("3."):
        call = "model.save('folder', save_format='tf')"
    return f"write it as a SavedModel, which holds all that it computes: `{call}`"


def custom_objects(package: str, *, trusted: bool) -> dict[str, Any]:
    """Return the allowed classes that Keras does not find by itself.

    Args:
        package: `keras` or `tf_keras`; it must have been imported.
        trusted: Whether to include `hub.KerasLayer`, which loads another model from an address
            in the file.
    """
    found = {
        name: getattr(importlib.import_module(f"{package}.src.{module}"), name, None)
        for name, module in _APPLICATION_LAYERS.items()
    }
    if trusted and package == "tf_keras":  # hub.KerasLayer is a layer of Keras 2
        import tensorflow_hub

        found["KerasLayer"] = tensorflow_hub.KerasLayer
    if package == "keras":
        found |= _operations()
    return {name: kind for name, kind in found.items() if kind is not None}


def _operations() -> dict[str, Any]:
    """Return Keras 3's operations, which it writes into HDF5 files but does not find on loading.

    Some have the name of a layer, such as `Add`; the configuration tells which one is meant.
    """
    from keras import layers
    from keras.src import ops

    found = {
        name: kind
        for module in (ops.core, ops.image, ops.linalg, ops.math, ops.nn, ops.numpy)
        for name, kind in vars(module).items()
        if isinstance(kind, type) and issubclass(kind, ops.operation.Operation)
    }
    return {
        name: _either(kind, getattr(layers, name)) if hasattr(layers, name) else kind
        for name, kind in found.items()
    }


def _either(operation: Any, layer: Any) -> Any:
    """Return a stand-in for two classes of one name; only a layer's config has `trainable`."""

    def from_config(_: Any, config: dict[str, Any]) -> Any:
        return (layer if "trainable" in config else operation).from_config(config)

    return type(layer.__name__, (), {"from_config": classmethod(from_config)})


def _foreign(part: dict[str, Any]) -> Foreign | None:
    kind = part.get("class_name")
    kind = kind if kind is None else str(kind)
    inner = part.get("config")
    if found := _by_kind(kind, part, inner if isinstance(inner, dict) else {}):
        return found
    module = part.get("module")
    if isinstance(module, str) and kind is not None and not _is_network(module, kind):
        return Foreign(f"{(inner if kind == 'function' else kind)!r} of the module {module!r}")
    return None


def _by_kind(kind: str | None, part: dict[str, Any], inner: dict[str, Any]) -> Foreign | None:
    """Return a part that is not allowed, whichever module it claims to come from."""
    name = inner.get("name", kind)
    if kind in _LAMBDAS or part.get("function_type") == "lambda":
        return Foreign(f"the Lambda layer {inner.get('name', 'lambda')!r}", layer=True)
    if kind == _HUB and "handle" in inner:
        return Foreign(
            f"the hub.KerasLayer {name!r}",
            f"loads another model from {str(inner['handle'])!r} when it is loaded",
        )
    if kind in _LOADING:
        return Foreign(f"the {kind} {name!r}")
    if isinstance(inner.get("vocabulary"), str):
        return Foreign(f"the {kind} {name!r} with the file {inner['vocabulary']!r}", layer=True)
    function = str(inner.get("function", kind))
    if kind in _TF_CALLS and not function.startswith(_COMPUTING):
        return Foreign(f"a call of tf.{function}", layer=True)
    return None


def _is_network(module: str, kind: str) -> bool:
    """Tell whether a class belongs to a module that holds only building blocks of networks."""
    package, _, below = module.partition(".")
    if module == _TF_INITIALIZERS and kind != "function":
        return True
    if module == _BUILT_IN or (package in _PACKAGES and not below):
        return True
    below = below.removeprefix("src.").removeprefix("api.")
    if package not in _PACKAGES:
        return False
    return _APPLICATION_LAYERS.get(kind) == below or any(
        below == known or below.startswith(f"{known}.") for known in _MODULES
    )
