"""The store of finished runs: a folder with a row per run, never repeated, mixed or lost."""

import csv
import io
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import pandas as pd
import torch
import yaml
from filelock import FileLock, Timeout

import aiec_graph
from aiec_graph.errors import InputError
from aiec_graph.files import write_whole
from aiec_graph.tables import quote_formula, unquote_formula

LIBRARIES = ("torch", "torch-geometric", "numpy", "scipy", "scikit-learn", "pandas")
ARITHMETIC = ("aiec_graph_version", "torch_version", "kernels", "device")
"""Columns on which the last digits of a result depend: rows that differ in them are not mixed."""
PROVENANCE = ("kind", "config_hash", "data_checksum")
TEXT = (*PROVENANCE, "split_checksum", *ARITHMETIC)
RUNS = "runs.csv"
"""The file of finished runs in a folder of results."""
JOURNAL = "journal.csv"
"""Beside it: what became of every run that was begun, where, and at which attempt."""
JOURNAL_COLUMNS = ("time", "config_hash", "seed", "state", "node", "attempt", "reason")
Row = dict[str, Any]
Key = tuple[str, int]
"""A specification's hash and a seed."""


class Layout(Protocol):
    """What a kind of run writes into its rows."""

    @property
    def name(self) -> str:
        """The kind's name and version, which owns a folder of results."""
        ...

    columns: ClassVar[tuple[str, ...]]
    """The columns that are the kind's own."""
    metrics: ClassVar[tuple[str, ...]]
    """Those that hold numbers which tables show."""
    libraries: ClassVar[tuple[str, ...]]
    """The libraries whose versions a row states."""


def environment(libraries: Sequence[str] = LIBRARIES, device: str = "cpu") -> dict[str, str | int]:
    """What made a result, under its columns' names: versions, kernels, device and threads.

    Args:
        libraries: those whose versions are stated.
        device: the type of device that it was computed on.
    """
    found = {f"{name.replace('-', '_')}_version": version(name) for name in libraries}
    instructions = torch.backends.cpu.get_cpu_capability()
    compiler = f"numba {version('numba')}"
    own = {"aiec_graph_version": aiec_graph.__version__}
    made = {"kernels": f"{compiler} {instructions}", "device": device}
    python = {"python_version": platform.python_version()}
    return own | python | found | made | {"threads": torch.get_num_threads()}


def columns_of(layout: Layout) -> list[str]:
    """All columns of the rows of a kind."""
    return [*layout.columns, *PROVENANCE, *environment(layout.libraries)]


def lock_folder(folder: Path) -> FileLock:
    """Makes a folder for results and holds it until the lock is released.

    Raises:
        InputError: it cannot be written, or another process holds it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / ".lock", timeout=0)
        lock.acquire()
    except Timeout:
        raise InputError(f"another run is writing to {folder}; name another --out") from None
    except OSError as error:
        raise InputError(
            f"cannot write results to {folder}: {error.strerror or error}; name another --out"
        ) from None
    return lock


class RunStore:
    """`runs.csv` in a folder, locked against a second writer while it is open.

    A line that a killed process left unfinished is dropped; its run counts as not made. Beside it
    `journal.csv` tells what became of each run, which nothing is read from.

    Args:
        folder: is made where it is missing.
        layout: the kind of its runs.

    Raises:
        InputError: it cannot be written, another process holds it, or it holds the results of
            another command or version.
    """

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder, self.path, self.layout = folder, folder / RUNS, layout
        self.journal = folder / JOURNAL
        self._columns = columns_of(layout)
        self._is_new = not folder.exists()
        self._lock = lock_folder(folder)
        try:
            self._open()
        except OSError as error:
            self.close()
            raise InputError(f"cannot write {self.path}: {error.strerror or error}") from None
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        """Gives the open store, which the end of the block closes."""
        return self

    def __exit__(self, fault: object, *_: object) -> None:
        """Closes the store; a folder that was made for it and holds no run goes with a fault."""
        own = {RUNS, Path(self._lock.lock_file).name}
        is_empty = self._is_new and {path.name for path in self.folder.iterdir()} <= own
        if fault is not None and is_empty and self.path.read_bytes().count(b"\n") <= 1:
            self.path.unlink()
            Path(self._lock.lock_file).unlink(missing_ok=True)
            self.close()
            self.folder.rmdir()
        self.close()

    def _open(self) -> None:
        header = ",".join(self._columns) + "\n"
        content = self.path.read_bytes() if self.path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if header.encode().startswith(content):  # missing, empty, or torn in its first line
            self.path.write_text(header, encoding="utf-8")
            return
        if not whole.startswith(header.encode()):
            raise InputError(
                f"{self.path} has other columns than this command of this version writes; it holds "
                "results of another command or version: name another --out"
            )
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))
        if self.journal.exists():
            os.truncate(self.journal, self.journal.read_bytes().rfind(b"\n") + 1)

    def read(self) -> pd.DataFrame:
        """All finished rows.

        Raises:
            InputError: a line is malformed, or a row is of another kind.
        """
        try:
            types = dict.fromkeys(TEXT, "str") | {"seed": "int64"}
            types |= dict.fromkeys(self.layout.metrics, "float64")
            options = {"keep_default_na": False, "na_values": [""]}  # a graph may be named NA
            rows = pd.read_csv(self.path, dtype=types, encoding="utf-8", index_col=False, **options)
            if rows.isna().any(axis=None):
                line = int(rows.isna().any(axis=1).argmax()) + 2
                raise ValueError(f"line {line} has an empty spec")
        except (ValueError, OverflowError, pd.errors.ParserError) as error:
            raise InputError(
                f"{self.path} is damaged: {str(error).splitlines()[0]}; mend or remove the line, "
                "or name another --out"
            ) from None
        for name in rows.columns[[pd.api.types.is_string_dtype(kind) for kind in rows.dtypes]]:
            rows[name] = rows[name].map(unquote_formula)
        others = sorted(set(rows["kind"]) - {self.layout.name})
        if others:
            raise InputError(
                f"{self.folder} holds results of another command or version ({others[0]}, not "
                f"{self.layout.name}); name another --out"
            )
        return rows

    def finished(self, keys: Iterable[Key]) -> pd.DataFrame:
        """The rows of some runs, indexed by config_hash and seed."""
        rows = self.read().drop_duplicates(["config_hash", "seed"], keep="last")
        rows = rows.set_index(["config_hash", "seed"], drop=False)
        return rows[rows.index.isin(list(keys))]

    def refuse_other_arithmetic(self, finished: pd.DataFrame) -> None:
        """Refuses to set new rows beside rows that another version or kernels made.

        Raises:
            InputError: some of the finished rows have another environment than this process.
        """
        now = environment(self.layout.libraries)
        for name in ARITHMETIC:
            others = sorted(set(finished[name]) - {now[name]}) if name != "device" else []
            if others:
                raise InputError(
                    f"{self.folder} has runs made with {name.replace('_', ' ')} {others[0]}, and "
                    f"this is {now[name]}, which may give other last digits; finish them there, "
                    "or name another --out"
                )

    def append(self, row: Row) -> None:
        """Adds a row; when this returns, it is on the disk.

        Raises:
            InputError: it cannot be written.
        """
        line = io.StringIO()
        safe = {k: quote_formula(v) if isinstance(v, str) else v for k, v in row.items()}
        csv.DictWriter(line, self._columns, lineterminator="\n").writerow(safe)
        self._add(self.path, line.getvalue())

    def record(self, key: Key, state: str, node: str, attempt: int, reason: str = "") -> None:
        """Adds a line to the journal.

        Args:
            key: of the run.
            state: finished, diverged or failed.
            node: the machine that made it.
            attempt: how often it was begun.
            reason: why it did not finish.

        Raises:
            InputError: it cannot be written.
        """
        line = io.StringIO()
        lines = csv.writer(line, lineterminator="\n")
        if not self.journal.exists() or not self.journal.stat().st_size:
            lines.writerow(JOURNAL_COLUMNS)
        now = datetime.now().astimezone().isoformat(timespec="seconds")
        lines.writerow([now, *key, state, quote_formula(node), attempt, quote_formula(reason)])
        self._add(self.journal, line.getvalue())

    def _add(self, path: Path, text: str) -> None:
        try:
            with path.open("a", encoding="utf-8", newline="") as stream:
                stream.write(text)
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise InputError(f"cannot write {path}: {error.strerror or error}") from None

    def close(self) -> None:
        """Lets others write to the folder."""
        self._lock.release()


def write_settings(folder: Path, spec: Any) -> None:
    """Writes `settings/<config_hash>.yaml` of a specification below a folder of results, once.

    Raises:
        InputError: it cannot be written.
    """
    path = folder / "settings" / f"{spec.config_hash}.yaml"
    if not path.exists():
        text = yaml.safe_dump(asdict(spec) | {"dataset": spec.public_dataset}, sort_keys=False)
        write_whole(path, lambda draft: draft.write_text(text, encoding="utf-8"))
