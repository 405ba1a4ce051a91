"""Engines that cannot do the work: each is one sentence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from toolchain import executors
from toolchain.errors import BadInputError, MissingToolError, ToolchainError

if TYPE_CHECKING:
    from pathlib import Path

posix = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals")


def test_a_cluster_without_workers_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    import distributed

    monkeypatch.setattr(executors, "_WORKERS_S", 1.0)
    cluster = distributed.LocalCluster(n_workers=0, dashboard_address=None, silence_logs=50)
    with (
        cluster,
        pytest.raises(ToolchainError, match="has no workers; start some with `dask worker tcp://"),
        executors.executor_for(1, workers=None, engine=cluster.scheduler_address),
    ):
        pass


def test_a_cluster_that_does_not_answer_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(executors, "_ANSWER_S", 0.3)
    with (
        pytest.raises(ToolchainError, match=r"no Dask scheduler answers at tcp://127\.0\.0\.1:9;"),
        executors.executor_for(1, workers=None, engine="tcp://127.0.0.1:9"),
    ):
        pass


@pytest.mark.parametrize(
    ("engine", "workers", "kind", "named"),
    [
        ("tcp://host:8786", None, MissingToolError, r"pip install 'toolchain\[dask\]'"),
        ("tcp://host:8786", 2, BadInputError, "leave it out with --engine"),
        ("host:8786", None, BadInputError, "write it like tcp://host:8786"),
    ],
)
def test_an_engine_that_cannot_be_used_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch,
    engine: str,
    workers: int | None,
    kind: type[ToolchainError],
    named: str,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with (
        pytest.raises(kind, match=named),
        executors.executor_for(1, workers=workers, engine=engine),
    ):
        pass


@posix
def test_a_script_that_each_process_starts_anew_is_told_of_it(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "from toolchain import executors\n"
        "with executors.executor_for(1, workers=2, engine=None) as executor:\n"
        "    list(executor.map(abs, [1, 2]))\n",
        "utf-8",
    )
    ran = subprocess.run([sys.executable, script], capture_output=True, text=True, check=False)
    assert ran.returncode != 0
    assert ran.stderr.splitlines()[-1].endswith(
        "perhaps because memory ran out, or a script does not call this below "
        '`if __name__ == "__main__":`; run the same command with --workers 1'
    )


@posix
def test_a_process_that_is_killed_is_one_sentence() -> None:
    with (
        pytest.raises(ToolchainError, match="--workers 1"),
        executors.executor_for(1, workers=2, engine=None) as executor,
    ):
        list(executor.map(os._exit, [1]))
