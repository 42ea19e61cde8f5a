"""The results file: one row per seed, appended as each run ends, never repeated and never lost."""

import csv
import io
import os
import platform
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
import yaml
from filelock import FileLock, Timeout

import aiec_graph
from aiec_graph.errors import InputError
from aiec_graph.files import write_whole

LIBRARIES = ("torch", "torch-geometric", "numpy", "scipy", "scikit-learn", "pandas")
METRIC_COLUMNS = [
    *("val_auc", "val_ap", "val_rec_at_k", "test_auc", "test_ap", "test_rec_at_k"),
]
COLUMNS = [
    *("dataset", "simulated", "split", "model", "act", "seed"),
    *METRIC_COLUMNS,
    *("best_epoch", "epochs", "seconds_per_epoch", "peak_memory_mb", "parameters", "config_hash"),
    "data_checksum",
    *("aiec_graph_version", "python_version"),
    *(f"{name.replace('-', '_')}_version" for name in LIBRARIES),
]


def versions(libraries: Sequence[str] = LIBRARIES) -> dict[str, str]:
    """The versions that the results depend on, under their column names."""
    found = {f"{name.replace('-', '_')}_version": version(name) for name in libraries}
    own = {"aiec_graph_version": aiec_graph.__version__}
    return own | {"python_version": platform.python_version()} | found


def write_settings(folder: Path, config_hash: str, settings: dict[str, Any]) -> None:
    """Writes `settings/<config_hash>.yaml` below a folder of results, once.

    Raises:
        InputError: it cannot be written.
    """
    path = folder / "settings" / f"{config_hash}.yaml"
    if not path.exists():
        text = yaml.safe_dump(settings, sort_keys=False)
        write_whole(path, lambda draft: draft.write_text(text, encoding="utf-8"))


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


class RunsFile:
    """`runs.csv` in a folder, locked against a second writer while it is open.

    A line that a killed process left unfinished is dropped; its run counts as not made.

    Args:
        folder: is made where it is missing.
        columns: of the file.
        numbers: which of them hold numbers.

    Raises:
        InputError: the folder cannot be written, another process writes to it, or the file there
            has other columns.
    """

    def __init__(
        self,
        folder: Path,
        columns: Sequence[str] = COLUMNS,
        numbers: Sequence[str] = METRIC_COLUMNS,
    ) -> None:
        self.path = folder / "runs.csv"
        self._columns, self._numbers = columns, numbers
        self._lock = lock_folder(folder)
        try:
            self._open()
        except OSError as error:
            self.close()
            raise InputError(f"cannot write {self.path}: {error.strerror or error}") from None
        except BaseException:
            self.close()
            raise

    def _open(self) -> None:
        header = ",".join(self._columns) + "\n"
        content = self.path.read_bytes() if self.path.exists() else b""
        whole = content[: content.rfind(b"\n") + 1]
        if header.encode().startswith(content):  # missing, empty, or torn in its first line
            self.path.write_text(header, encoding="utf-8")
            return
        if not whole.startswith(header.encode()):
            raise InputError(
                f"{self.path} has other columns than this version writes; name another --out"
            )
        if len(whole) < len(content):
            os.truncate(self.path, len(whole))

    def read(self) -> pd.DataFrame:
        """All finished rows.

        Raises:
            InputError: a line is malformed.
        """
        try:
            names = ("config_hash", "data_checksum", "split_checksum")
            types = (
                dict.fromkeys(names, "str")
                | {"seed": "int64"}
                | dict.fromkeys(self._numbers, "float64")
            )
            options = {"keep_default_na": False, "na_values": [""]}  # a graph may be named NA
            rows = pd.read_csv(self.path, dtype=types, encoding="utf-8", index_col=False, **options)
            if rows.isna().any(axis=None):
                line = int(rows.isna().any(axis=1).argmax()) + 2
                raise ValueError(f"line {line} has an empty cell")
            return rows
        except (ValueError, OverflowError, pd.errors.ParserError) as error:
            raise InputError(f"{self.path} is damaged: {str(error).splitlines()[0]}") from None

    def finished(self) -> dict[tuple[str, int], str]:
        """The data's checksum of each finished row, by (config_hash, seed)."""
        rows = self.read()
        keys = zip(rows["config_hash"], rows["seed"], strict=True)
        return dict(zip(keys, rows["data_checksum"], strict=True))

    def append(self, row: dict[str, Any]) -> None:
        """Adds a row; when this returns, it is on the disk.

        Raises:
            InputError: it cannot be written.
        """
        line = io.StringIO()
        csv.DictWriter(line, self._columns, lineterminator="\n").writerow(row)
        try:
            with self.path.open("a", encoding="utf-8", newline="") as stream:
                stream.write(line.getvalue())
                stream.flush()
                os.fsync(stream.fileno())
        except OSError as error:
            raise InputError(f"cannot write {self.path}: {error.strerror or error}") from None

    def close(self) -> None:
        self._lock.release()
