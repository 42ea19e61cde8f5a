"""Reading pickled files without running what is in them: allow-lists, never a bare unpickle."""

import pickle
import re
import warnings
import zipfile
import zlib
from io import BytesIO
from pathlib import Path
from typing import IO, Any

import pandas as pd
import torch

from aiec_graph.errors import InputError

MAX_UNZIPPED = 8 * 2**30
"""Largest unzipped size of a data file, in bytes; the real ones are far below."""

# What a pickled frame of object and number columns is made of. pyarrow's constructors are left
# out on purpose: they take raw buffers, whose lengths a forged file can lie about.
PANDAS_CONSTRUCTORS = frozenset(
    {
        ("pandas", "DataFrame"),
        ("pandas.core.frame", "DataFrame"),
        ("pandas", "Index"),
        ("pandas", "RangeIndex"),
        ("pandas.core.indexes.base", "Index"),
        ("pandas.core.indexes.base", "_new_Index"),
        ("pandas.core.indexes.range", "RangeIndex"),
        ("pandas.core.internals.managers", "BlockManager"),
        ("pandas._libs.internals", "_unpickle_block"),
        ("numpy", "ndarray"),
        ("numpy", "dtype"),
        ("numpy.core.multiarray", "_reconstruct"),
        ("numpy._core.multiarray", "_reconstruct"),
        ("numpy._core.numeric", "_frombuffer"),
        ("builtins", "slice"),
        ("builtins", "bytearray"),
        ("__builtin__", "slice"),
        ("__builtin__", "bytearray"),
        ("_codecs", "encode"),
    }
)


class _FrameUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in PANDAS_CONSTRUCTORS:
            raise InputError(
                f"it asks for the constructor {module}.{name}, which is not on the list of what a "
                "pickled table may hold; nothing of it was run"
            )
        return super().find_class(module, name)


def read_frame(path: Path) -> pd.DataFrame:
    """Reads a pickled pandas frame through an allow-list of pandas and NumPy constructors.

    Raises:
        InputError: the file asks for another constructor, is damaged, or holds something else.
    """
    try:
        with path.open("rb") as stream:
            frame = _FrameUnpickler(stream).load()
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except Exception as error:  # noqa: BLE001 (a damaged pickle can raise anything)
        raise InputError(f"{path}: not a readable pickle ({_first_line(error)})") from None
    if not isinstance(frame, pd.DataFrame):
        raise InputError(f"{path}: holds a {type(frame).__name__}, not a pandas DataFrame")
    return frame


def read_torch(path: Path) -> Any:
    """Reads what `torch.save` wrote, from a .pt or a zip that holds just one .pt.

    Tensors, plain Python values and PyG's `Data` are allowed; any other constructor is refused
    before it runs.

    Raises:
        InputError: the file asks for another constructor, or is damaged.
    """
    with warnings.catch_warnings():
        # PyG's own use of torch.jit, which torch calls deprecated: nothing a user can mend.
        warnings.filterwarnings("ignore", ".*torch.jit")
        # Here, since PyG takes seconds to import and just two data sets need it.
        from torch_geometric.data import Data
        from torch_geometric.data.data import DataEdgeAttr, DataTensorAttr
        from torch_geometric.data.storage import GlobalStorage

    allowed = [Data, DataEdgeAttr, DataTensorAttr, GlobalStorage]
    with torch.serialization.safe_globals(allowed):
        return load_weights_only(_unzipped(path), path)


def load_weights_only(stream: IO[bytes], path: Path) -> Any:
    """`torch.load` with `weights_only`, its failures turned into one line that names the file.

    Raises:
        InputError: the file asks for a constructor that is not allowed, or is damaged.
    """
    try:
        return torch.load(stream, map_location="cpu", weights_only=True)
    except Exception as error:  # noqa: BLE001 (a damaged file can raise anything)
        found = re.search(
            r"(?:Unsupported|blocked).*?GLOBAL ([\w.]+)", str(error), re.DOTALL | re.IGNORECASE
        )
        if found:
            raise InputError(
                f"{path}: it asks for the constructor {found[1]}, which is not on the list of "
                "what such a file may hold; nothing of it was run"
            ) from None
        # torch's own message advises to load without the allow-list: not passed on.
        raise InputError(f"{path}: damaged, or not a file that torch.save wrote") from None


def _unzipped(path: Path) -> IO[bytes]:
    try:
        if path.suffix != ".zip":
            return BytesIO(path.read_bytes())
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".pt")]
            if len(members) != 1:
                raise InputError(f"{path}: must hold one .pt file, holds {len(members)}")
            if members[0].file_size > MAX_UNZIPPED:
                size = members[0].file_size / 2**30
                raise InputError(f"{path}: unzips to {size:.0f} GiB, more than is accepted")
            return BytesIO(archive.read(members[0]))
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise InputError(f"{path}: damaged zip file ({_first_line(error)})") from None


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
