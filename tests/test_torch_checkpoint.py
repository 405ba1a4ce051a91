"""PyTorch's old checkpoints, read without PyTorch; what they would run is never run."""

from __future__ import annotations

import io
import pickle
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from toolchain import digest
from toolchain.errors import BadInputError
from toolchain.sources import packaged, torch_checkpoint

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MAGIC = 0x1950A86A20F9469CFC6C
NUMBERS = np.arange(24, dtype="<f4")


@dataclass(frozen=True)
class Global:
    """A name that the pickle asks for; calls to it carry arguments."""

    module: str
    name: str
    arguments: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Storage:
    key: str
    array: Any
    kind: str = "FloatStorage"
    count: int | None = None
    view_metadata: Any = None


def tensor(storage: Any, offset: Any, shape: Any, strides: Any) -> Global:
    return Global(
        "torch._utils",
        "_rebuild_tensor_v2",
        (storage, offset, shape, strides, False, OrderedDict()),
    )


Extendable: Any = pickle.__dict__["_Pickler"]  # the one in Python; C's has no `save`


class Pickler(Extendable):  # type: ignore[misc]
    """Writes globals of modules that are not here, and storages by their ids."""

    def persistent_id(self, value: Any) -> Any:
        if not isinstance(value, Storage):
            return None
        count = len(value.array) if value.count is None else value.count
        kind = Global("torch", value.kind)
        return ("storage", kind, value.key, "cpu", count, value.view_metadata)

    def save(self, value: Any, *arguments: Any, **options: Any) -> None:
        if not isinstance(value, Global):
            super().save(value, *arguments, **options)
            return
        self.write(f"c{value.module}\n{value.name}\n".encode())
        if value.arguments is not None:
            super().save(value.arguments)
            self.write(pickle.REDUCE)


def pickled(value: Any) -> bytes:
    buffer = io.BytesIO()
    Pickler(buffer, protocol=2).dump(value)
    return buffer.getvalue()


@dataclass
class Checkpoint:
    """The parts of a checkpoint, each of which a test may spoil."""

    state: Any
    storages: list[Storage]
    magic: Any = MAGIC
    protocol: Any = 1001
    system: Any = field(default_factory=lambda: {"protocol_version": 1001, "little_endian": True})
    keys: Any = None

    def to_bytes(self) -> bytes:
        keys = [storage.key for storage in self.storages] if self.keys is None else self.keys
        parts = [pickled(part) for part in (self.magic, self.protocol, self.system, self.state)]
        parts.append(pickled(keys))
        for storage in self.storages:
            count = len(storage.array) if storage.count is None else storage.count
            parts += [count.to_bytes(8, "little", signed=True), storage.array.tobytes()]
        return b"".join(parts)

    def write(self, path: Path, content: Callable[[bytes], bytes] = bytes) -> Path:
        path.write_bytes(content(self.to_bytes()))
        return path


def holding(*tensors: Global, **parts: Any) -> Checkpoint:
    """Return a checkpoint with tensors named a, b, … over the storages they use."""
    storages: dict[str, Storage] = {}
    for one in tensors:
        assert one.arguments is not None
        storages[one.arguments[0].key] = one.arguments[0]
    state = OrderedDict(zip("abcdef", tensors, strict=False))
    return Checkpoint(**{"state": state, "storages": list(storages.values()), **parts})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.pth"


def test_tensors_come_with_their_values_in_order(path: Path) -> None:
    one, other = Storage("7", NUMBERS), Storage("8", np.array([3], "<i8"), "LongStorage")
    checkpoint = holding(tensor(one, 0, (2, 3, 4), (12, 4, 1)), tensor(other, 0, (), ()))
    arrays = torch_checkpoint.read(checkpoint.write(path))
    assert list(arrays) == ["a", "b"]
    np.testing.assert_array_equal(arrays["a"], NUMBERS.reshape(2, 3, 4))
    assert arrays["a"].dtype == np.float32
    assert arrays["b"].shape == ()
    assert arrays["b"] == 3


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [
        ("FloatStorage", "<f4"),
        ("DoubleStorage", "<f8"),
        ("HalfStorage", "<f2"),
        ("LongStorage", "<i8"),
        ("IntStorage", "<i4"),
    ],
)
def test_every_kind_of_number_is_read(path: Path, kind: str, dtype: str) -> None:
    numbers = np.array([-1, 0, 2], dtype)
    checkpoint = holding(tensor(Storage("0", numbers, kind), 0, (3,), (1,)))
    array = torch_checkpoint.read(checkpoint.write(path))["a"]
    assert array.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(array, numbers)


def test_strides_and_offsets_are_followed(path: Path) -> None:
    storage = Storage("0", NUMBERS)
    checkpoint = holding(
        tensor(storage, 0, (4, 6), (1, 4)),  # transposed
        tensor(storage, 5, (3,), (1,)),  # a part
        tensor(storage, 1, (2, 3), (12, 4)),  # every fourth
        tensor(storage, 2, (3, 2), (0, 1)),  # one row thrice
        tensor(storage, 24, (0, 5), (5, 1)),  # empty
        tensor(storage, 23, (1, 1), (99, 99)),  # strides along 1 do not count
    )
    arrays = torch_checkpoint.read(checkpoint.write(path))
    np.testing.assert_array_equal(arrays["a"], NUMBERS.reshape(6, 4).T)
    np.testing.assert_array_equal(arrays["b"], [5, 6, 7])
    np.testing.assert_array_equal(arrays["c"], [[1, 5, 9], [13, 17, 21]])
    np.testing.assert_array_equal(arrays["d"], [[2, 3]] * 3)
    assert arrays["e"].shape == (0, 5)
    assert arrays["f"].tolist() == [[23.0]]
    assert all(array.flags.c_contiguous and array.flags.writeable for array in arrays.values())


def test_a_tensor_of_an_empty_storage_is_empty(path: Path) -> None:
    checkpoint = holding(tensor(Storage("0", NUMBERS[:0]), 0, (0,), (1,)))
    assert torch_checkpoint.read(checkpoint.write(path))["a"].shape == (0,)


RUNS = [
    ("os", "system"),
    ("posix", "system"),
    ("builtins", "eval"),
    ("builtins", "exec"),
    ("builtins", "getattr"),
    ("subprocess", "check_call"),
    ("collections", "OrderedDict.fromkeys"),
    ("torch", "load"),
    ("torch.jit", "FloatStorage"),
    ("torch._utils", "_rebuild_tensor"),
]


@pytest.mark.parametrize(("module", "name"), RUNS)
def test_every_other_name_is_refused_before_it_is_looked_up(
    path: Path, module: str, name: str
) -> None:
    checkpoint = holding(state=Global(module, name, ("1",)), storages=[])
    with pytest.raises(BadInputError, match=rf"it names {module}\.{name}, which is no") as raised:
        torch_checkpoint.read(checkpoint.write(path))
    assert "model.pth" in str(raised.value)


@pytest.mark.parametrize("part", ["magic", "protocol", "system", "state", "keys"])
def test_code_in_any_part_is_not_run(path: Path, part: str) -> None:
    proof = path.with_name("proof")
    attack = Global("os", "system", (f"touch '{proof}'",))
    checkpoint = holding(tensor(Storage("0", NUMBERS), 0, (24,), (1,)), **{part: attack})
    checkpoint.write(path)
    with pytest.raises(BadInputError, match=r"it names os\.system"):
        torch_checkpoint.read(path)
    assert not proof.exists()


def test_the_attack_would_work_on_an_unpickler_that_trusts(path: Path) -> None:
    """Without this the test above could pass for an attack that harms nobody."""
    proof = path.with_name("proof")
    attack = pickled(Global("os", "system", (f"touch '{proof}'",)))
    pickle.loads(attack)  # noqa: S301
    assert proof.exists()


def test_a_module_is_not_even_imported(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (path.parent / "planted.py").write_text("from pathlib import Path\nPath('proof').touch()\n")
    monkeypatch.syspath_prepend(str(path.parent))
    checkpoint = holding(state=Global("planted", "anything", ()), storages=[])
    with pytest.raises(BadInputError, match=r"it names planted\.anything"):
        torch_checkpoint.read(checkpoint.write(path))
    assert not (path.parent / "proof").exists()


WHOLE = tensor(Storage("0", NUMBERS), 0, (24,), (1,))


@pytest.mark.parametrize(
    ("checkpoint", "fault"),
    [
        (holding(tensor(Storage("0", NUMBERS), 0, (25,), (1,))), "past the end of storage 0"),
        (holding(tensor(Storage("0", NUMBERS), 1, (24,), (1,))), "past the end of storage 0"),
        (holding(tensor(Storage("0", NUMBERS), 0, (2, 3), (22, 1))), "past the end of storage 0"),
        (holding(tensor(Storage("0", NUMBERS), 24, (), ())), "past the end of storage 0"),
        (holding(tensor(Storage("0", NUMBERS), -1, (2,), (1,))), "make no sense"),
        (holding(tensor(Storage("0", NUMBERS), 23, (2,), (-1,))), "make no sense"),
        (holding(tensor(Storage("0", NUMBERS), 0, (-2,), (1,))), "make no sense"),
        (holding(tensor(Storage("0", NUMBERS), 0, (2, 2), (1,))), "make no sense"),
        (holding(tensor(Storage("0", NUMBERS), 0, (2.0,), (1,))), "make no sense"),
        (holding(tensor(Storage("0", NUMBERS), 0, 2, 1)), "not a readable"),
        (holding(tensor(Storage("0", NUMBERS), 0, (1 << 70,), (1,))), "past the end"),
        (holding(tensor(Storage("0", NUMBERS, "ByteStorage"), 0, (2,), (1,))), "ByteStorage"),
        (holding(tensor(Storage("0", NUMBERS, count=-1), 0, (2,), (1,))), "inconsistently"),
        (holding(tensor(Storage("0", NUMBERS, count=1 << 60), 0, (2,), (1,))), "not a readable"),
        (holding(tensor(Storage("0", NUMBERS, count=1 << 44), 0, (2,), (1,))), "not a readable"),
        (
            holding(WHOLE, tensor(Storage("0", NUMBERS, "IntStorage"), 0, (24,), (1,))),
            "storage 0 is declared inconsistently",
        ),
        (
            holding(WHOLE, tensor(Storage("0", NUMBERS, count=23), 0, (23,), (1,))),
            "storage 0 is declared inconsistently",
        ),
        (holding(WHOLE, keys=[]), "no state dict with its storages"),
        (holding(WHOLE, keys=["0", "1"]), "no state dict with its storages"),
        (holding(WHOLE, keys=["0", "0"]), "no state dict with its storages"),
        (holding(WHOLE, keys=5), "not a readable"),
        (holding(state=[WHOLE], storages=[Storage("0", NUMBERS)]), "no state dict"),
        (holding(state={"a": 1.0}, storages=[]), "something that is not a tensor"),
        (holding(state={"a": tensor("0", 0, (), ())}, storages=[]), "not a readable"),
        (holding(WHOLE, magic=1), "does not begin as a legacy checkpoint"),
        (holding(WHOLE, protocol=1002), "does not begin as a legacy checkpoint"),
        (holding(WHOLE, system={"little_endian": False}), "little-endian"),
        (holding(WHOLE, system=[]), "not a readable"),
    ],
)
def test_what_makes_no_sense_is_refused(path: Path, checkpoint: Checkpoint, fault: str) -> None:
    with pytest.raises(BadInputError, match=fault) as raised:
        torch_checkpoint.read(checkpoint.write(path))
    assert str(raised.value).startswith("model.pth is not a readable PyTorch checkpoint: ")
    assert "\n" not in str(raised.value)


def test_a_checkpoint_cut_off_anywhere_is_refused(path: Path) -> None:
    length = len(holding(WHOLE).write(path).read_bytes())
    for end in range(length):
        holding(WHOLE).write(path, lambda content, end=end: content[:end])  # type: ignore[misc]
        with pytest.raises(BadInputError, match="not a readable PyTorch checkpoint"):
            torch_checkpoint.read(path)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"<!doctype html>", bytes(100)])
def test_what_is_no_checkpoint_is_refused(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    with pytest.raises(BadInputError, match="not a readable PyTorch checkpoint"):
        torch_checkpoint.read(path)


def test_a_file_that_is_not_there_is_named(path: Path) -> None:
    with pytest.raises(BadInputError, match=r"model\.pth .*No such file"):
        torch_checkpoint.read(path)


def test_the_embedded_checkpoint_is_the_published_one() -> None:
    checkpoint = packaged._checkpoint("efficientnet-lite0")
    assert digest.of_file(checkpoint).startswith(checkpoint.stem.rpartition("-")[2])
    arrays = torch_checkpoint.read(checkpoint)
    learnt = {
        name: array
        for name, array in arrays.items()
        if not name.endswith(("running_mean", "running_var", "num_batches_tracked"))
    }
    # 4.65 million are published for EfficientNet-Lite0.
    assert sum(array.size for array in learnt.values()) == 4_652_008
    assert all(np.isfinite(array).all() for array in arrays.values())
    assert arrays["_fc.weight"].shape == (1000, 1280)
