"""TensorFlow's protobuf classes without importing TensorFlow, which takes seconds.

TensorFlow's generated modules hold their descriptors as constants. The constants are read from
the source files; the modules are not run.
"""

from __future__ import annotations

import ast
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from toolchain.errors import MissingToolError

_SAVED_MODEL = "tensorflow/core/protobuf/saved_model.proto"


def parse(saved_model: bytes) -> Any:
    """Parse the content of `saved_model.pb`.

    Returns:
        A `tensorflow.SavedModel`, in which the operation of a node, `op`, is a list. A message
        may hold a field twice, and readers use the last value; a check must see both.

    Raises:
        ValueError: It is cut off, nested too deep, or not such a message.
        MissingToolError: TensorFlow is not installed.
    """
    from google.protobuf.message import DecodeError

    try:
        return _saved_model_class().FromString(saved_model)
    except DecodeError as error:
        raise ValueError("it is cut off or is something else") from error


@lru_cache
def _saved_model_class() -> Any:
    from google.protobuf import descriptor_pool, message_factory

    # A separate pool: if TensorFlow is imported later, it adds its files to the default pool.
    pool = descriptor_pool.DescriptorPool()
    _add(_SAVED_MODEL, pool, set())
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.SavedModel"))


def _add(name: str, pool: Any, added: set[str]) -> None:
    """Add a `.proto` file to a pool, after those that it imports."""
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

    if name in added:
        return
    added.add(name)
    file = FileDescriptorProto.FromString(_descriptor(name.removesuffix(".proto") + "_pb2"))
    for imported in file.dependency:
        _add(imported, pool, added)
    for message in file.message_type:
        for field in message.field:
            if (message.name, field.name) == ("NodeDef", "op"):
                field.label = FieldDescriptorProto.LABEL_REPEATED
    pool.Add(file)


def _descriptor(module: str) -> bytes:
    """Return the serialised FileDescriptorProto of a generated module."""
    if module.startswith("google/"):
        descriptor: bytes = import_module(module.replace("/", ".")).DESCRIPTOR.serialized_pb
        return descriptor
    spec = find_spec("tensorflow")
    if spec is None or spec.origin is None:
        raise MissingToolError("TensorFlow is not installed; install toolchain again")
    tree = ast.parse(Path(spec.origin).parents[1].joinpath(f"{module}.py").read_bytes())
    return next(
        call.args[0].value
        for call in ast.walk(tree)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "AddSerializedFile"
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, bytes)
    )
