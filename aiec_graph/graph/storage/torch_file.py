"""What `torch.save` wrote, as NumPy arrays: read without torch, and without running anything.

Both forms are read: the zip archive of torch 1.6 and later, whose checksums are tested, and the
stream of pickles before it. A tensor's sizes and strides must lie within what the file holds of it
before an array is made.
"""

import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from aiec_graph.errors import InputError, named
from aiec_graph.graph.storage.pickle_machine import NUMPY, Build, Name, Record, StandIn, unpickle

MOST_GROWTH = 100
"""How many times its packed size a file within a zip may have."""
LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_VERSION = 1001
MOST_STRIDED = 16
"""How many times its storage a tensor may have, whose strides repeat elements."""

_BFLOAT16 = "bfloat16"
_DTYPES = {
    "Double": "f8",
    "Float": "f4",
    "Half": "f2",
    "Long": "i8",
    "Int": "i4",
    "Short": "i2",
    "Char": "i1",
    "Byte": "u1",
    "Bool": "?",
    "BFloat16": _BFLOAT16,
    "ComplexFloat": "c8",
    "ComplexDouble": "c16",
    "Untyped": "u1",
}
_TORCH_DTYPES = {
    "float64": "f8",
    "float32": "f4",
    "float16": "f2",
    "bfloat16": _BFLOAT16,
    "int64": "i8",
    "int32": "i4",
    "int16": "i2",
    "int8": "i1",
    "uint8": "u1",
    "bool": "?",
}


@dataclass(frozen=True)
class SparseMatrix:
    """A sparse tensor: entries by row and column; repeated ones add up."""

    rows: NDArray[np.integer]
    columns: NDArray[np.integer]
    values: NDArray[Any] | None
    """None where every entry is 1."""
    shape: tuple[int, ...]


@dataclass(frozen=True)
class _Storage:
    content: NDArray[Any]
    kind: str


def _of_kind(kind: str) -> Build:
    return lambda *arguments: Record(kind, arguments)


def _rebuild_tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> NDArray[Any]:
    numbers = [offset, *size, *stride] if isinstance(size, tuple | list) else [None]
    if (
        not isinstance(storage, _Storage)
        or len(size) != len(stride)
        or not all(isinstance(n, int) and n >= 0 for n in numbers)
    ):
        raise InputError("damaged (a tensor is described in a way that is not read)")
    count, last = 1, offset
    for extent, step in zip(size, stride, strict=True):
        count *= extent
        last += (extent - 1) * step
    held = len(storage.content)
    if count and (last >= held or count > MOST_STRIDED * held):
        raise InputError(f"damaged (a tensor of {list(size)} in a storage of {held} elements)")
    if not count:
        array = np.empty(tuple(size), storage.content.dtype)
    else:
        steps = tuple(step * storage.content.itemsize for step in stride)
        array = as_strided(storage.content[offset:], tuple(size), steps, writeable=False)
    if storage.kind == _BFLOAT16:  # the upper half of a float32
        return (array.astype(np.uint32) << 16).view(np.float32)
    return array


def _rebuild_typed(storage: Any, offset: Any, size: Any, stride: Any, *rest: Any) -> NDArray[Any]:
    """A tensor of a type that has no storage of its own; the type comes last but one."""
    kinds = [v for v in rest if isinstance(v, StandIn) and v.name in _TORCH_DTYPES]
    if not isinstance(storage, _Storage) or storage.content.dtype != np.uint8 or not kinds:
        raise InputError("damaged (a tensor is described in a way that is not read)")
    return _rebuild_tensor(
        _typed(storage.content, _TORCH_DTYPES[kinds[0].name]), offset, size, stride
    )


def _rebuild_sparse(layout: Any, parts: Any) -> SparseMatrix:
    if not isinstance(parts, tuple) or len(parts) < 3:
        raise InputError("damaged (a sparse tensor without its parts)")
    if layout == "torch.sparse_coo":
        indices, values, size = parts[:3]
        if not isinstance(indices, np.ndarray) or indices.ndim != 2 or len(indices) != 2:
            raise InputError("a sparse tensor must be a matrix of numbers")
        return sparse_matrix(indices[0], indices[1], values, size)
    if layout in ("torch.sparse_csr", "torch.sparse_csc"):
        indptr, indices, values, size = (*parts, None)[:4]
        axis = 0 if layout.endswith("csr") else 1
        rows = from_indptr(indptr, indices)
        pair = (rows, indices) if axis == 0 else (indices, rows)
        return sparse_matrix(*pair, values, size)
    raise InputError(f"a tensor of the layout {layout} is not read")


def from_indptr(indptr: Any, indices: Any) -> NDArray[np.integer]:
    """The row of each entry of a compressed matrix.

    Raises:
        InputError: the rows do not add up to the entries.
    """
    arrays = all(isinstance(a, np.ndarray) and a.ndim == 1 for a in (indptr, indices))
    if not arrays or indptr.dtype.kind not in "iu" or len(indptr) == 0:
        raise InputError("damaged (a compressed matrix without its parts)")
    counts = np.diff(indptr)
    if indptr[0] != 0 or indptr[-1] != len(indices) or (counts < 0).any():
        raise InputError("damaged (the rows of a compressed matrix do not add up)")
    return np.repeat(np.arange(len(counts)), counts)


def sparse_matrix(rows: Any, columns: Any, values: Any, size: Any) -> SparseMatrix:
    """Checks the parts of a sparse matrix.

    Raises:
        InputError: an entry lies outside, or the parts do not fit together.
    """
    ends = [part for part in (rows, columns) if isinstance(part, np.ndarray)]
    sound = len(ends) == 2 and all(e.ndim == 1 and e.dtype.kind in "iu" for e in ends)
    if not sound or len(rows) != len(columns) or not isinstance(size, tuple) or len(size) != 2:
        raise InputError("a sparse tensor must be a matrix of numbers")
    if values is not None and (not isinstance(values, np.ndarray) or values.shape != rows.shape):
        raise InputError("a sparse tensor must be a matrix of numbers")
    for end, extent in zip(ends, size, strict=True):
        if len(end) and not 0 <= int(end.min()) <= int(end.max()) < extent:
            raise InputError("damaged (a sparse tensor has an entry outside)")
    return SparseMatrix(rows, columns, values, size)


_PYG = "torch_geometric.data"
TORCH: dict[Name, Build | None] = {
    **NUMPY,
    ("collections", "OrderedDict"): lambda *pairs: dict(*pairs) if pairs else {},
    ("torch._utils", "_rebuild_tensor"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuild_tensor,
    ("torch._utils", "_rebuild_tensor_v3"): _rebuild_typed,
    ("torch._utils", "_rebuild_parameter"): lambda data, *_: data,
    ("torch._utils", "_rebuild_sparse_tensor"): _rebuild_sparse,
    ("torch.serialization", "_get_layout"): str,
    ("torch", "Size"): lambda size=(): tuple(size),
    ("torch", "device"): lambda *parts: ":".join(map(str, parts)),
    **{("torch", f"{name}Storage"): None for name in _DTYPES},
    ("torch.storage", "UntypedStorage"): None,
    **{("torch", name): None for name in _TORCH_DTYPES},
    (f"{_PYG}.data", "Data"): _of_kind("Data"),
    (f"{_PYG}.data", "DataEdgeAttr"): _of_kind("DataEdgeAttr"),
    (f"{_PYG}.data", "DataTensorAttr"): _of_kind("DataTensorAttr"),
    (f"{_PYG}.storage", "GlobalStorage"): _of_kind("GlobalStorage"),
    (f"{_PYG}.hetero_data", "HeteroData"): _of_kind("HeteroData"),
    (f"{_PYG}.graph_store", "EdgeAttr"): _of_kind("EdgeAttr"),
    (f"{_PYG}.feature_store", "TensorAttr"): _of_kind("TensorAttr"),
    (f"{_PYG}.storage", "BaseStorage"): _of_kind("BaseStorage"),
    (f"{_PYG}.storage", "NodeStorage"): _of_kind("NodeStorage"),
    (f"{_PYG}.storage", "EdgeStorage"): _of_kind("EdgeStorage"),
    ("torch_sparse.tensor", "SparseTensor"): _of_kind("SparseTensor"),
    ("torch_sparse.storage", "SparseStorage"): _of_kind("SparseStorage"),
}
"""What a PyG `Data` is made of."""


def read_torch(path: Path) -> Any:
    """Reads a .pt file, or the one .pt file in a zip.

    Returns:
        What was saved: tensors as read-only NumPy arrays or as `SparseMatrix`, PyG's objects as
        `Record`, all else as it is.

    Raises:
        InputError: the file is damaged, or asks for a constructor that is not on the list.
    """
    content = _content(path)
    with named(path):
        if content[:4] == b"PK\x03\x04":
            return _read_archive(content)
        return _read_legacy(content)


def _content(path: Path) -> bytes:
    try:
        if path.suffix.lower() != ".zip":
            return path.read_bytes()
        with zipfile.ZipFile(path) as archive:
            members = [m for m in archive.infolist() if m.filename.endswith(".pt")]
            if len(members) != 1:
                raise InputError(
                    f"{path}: a zip that is read as a graph holds one .pt file, and this one holds "
                    f"{len(members)}; unpack a folder of tables first"
                )
            return read_member(archive, members[0], path)
    except InputError:
        raise
    except OSError as error:
        raise InputError(f"{path}: {error.strerror or 'damaged zip file'}") from None
    except ZIP_ERRORS as error:
        raise InputError(f"{path}: damaged zip file ({error})") from None


ZIP_ERRORS = (
    zipfile.BadZipFile,
    zlib.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)


def read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, path: Path) -> bytes:
    """A file of a zip, its checksum tested.

    Raises:
        InputError: it would unpack to far more than it takes in the archive.
    """
    if member.file_size > MOST_GROWTH * member.compress_size + 2**20:
        size = member.file_size / 2**20
        raise InputError(
            f"{path}: {member.filename} unzips to {size:.0f} MiB, more than is accepted"
        )
    return archive.read(member)


def _read_archive(content: bytes) -> Any:
    try:
        with zipfile.ZipFile(BytesIO(content)) as archive:
            members = {m.filename.partition("/")[2]: m for m in archive.infolist()}
            sizes = sum(member.file_size for member in members.values())
            stored = all(m.compress_type == zipfile.ZIP_STORED for m in members.values())
            if not stored or sizes > len(content) or "data.pkl" not in members:
                raise InputError("damaged, or not a file that torch.save wrote")
            if archive.testzip() is not None:
                raise InputError("damaged: its own checksums do not agree with its content")
            order = archive.read(members["byteorder"]) if "byteorder" in members else b"little"
            if order != b"little":
                raise InputError("written on a big-endian machine, which is not read")

            def storage(key: str) -> bytes:
                if f"data/{key}" not in members:
                    raise InputError(f"damaged (the storage {key} is missing)")
                return archive.read(members[f"data/{key}"])

            return unpickle(archive.read(members["data.pkl"]), TORCH, _Storages(storage))[0]
    except InputError:
        raise
    except (*ZIP_ERRORS, OSError) as error:
        raise InputError(f"damaged, or not a file that torch.save wrote ({error})") from None


class _Storages:
    """Gives a tensor's storage by what the pickle calls it; each is read once."""

    def __init__(self, read: Callable[[str], bytes]) -> None:
        self._read = read
        self._known: dict[str, _Storage] = {}

    def __call__(self, pid: Any) -> _Storage:
        if not isinstance(pid, tuple) or len(pid) < 5 or pid[0] != "storage":
            raise InputError("damaged (it refers to something that is no storage)")
        made, key, _, count = pid[1:5]
        kind = made.name.removesuffix("Storage") if isinstance(made, StandIn) else ""
        if kind not in _DTYPES or not isinstance(key, str) or not isinstance(count, int):
            raise InputError("damaged (it refers to a storage of a kind that is not read)")
        if len(pid) > 5 and pid[5] is not None:
            raise InputError("it refers to a part of a storage, which is not read")
        if key not in self._known:
            self._known[key] = _typed(np.frombuffer(self._read(key), np.uint8), _DTYPES[kind])
        if len(self._known[key].content) != count or self._known[key].kind != _DTYPES[kind]:
            raise InputError(f"damaged (the storage {key} is not as large as it is said to be)")
        return self._known[key]


def _typed(content: NDArray[np.uint8], kind: str) -> _Storage:
    dtype = np.dtype("<u2" if kind == _BFLOAT16 else f"<{kind}" if kind != "?" else "?")
    if content.size % dtype.itemsize:
        raise InputError("damaged (a storage ends within a number)")
    return _Storage(content.view(dtype), kind)


def _read_legacy(content: bytes) -> Any:
    """Four pickles, then the names of the storages, then each: its length and its numbers."""
    rest = content
    parts = []
    try:
        for _ in range(3):
            part, used = unpickle(rest, {})
            parts.append(part)
            rest = rest[used:]
        if parts[:2] != [LEGACY_MAGIC, LEGACY_VERSION]:
            raise InputError("")
        if not isinstance(parts[2], dict) or parts[2].get("little_endian") is not True:
            raise InputError("")
    except InputError:
        raise InputError("damaged, or not a file that torch.save wrote") from None
    # The storages stand behind the pickle that refers to them: it is read twice.
    sizes: dict[str, int] = {}

    def measure(pid: Any) -> _Storage:
        if isinstance(pid, tuple) and len(pid) > 4 and isinstance(pid[1], StandIn):
            kind = _DTYPES.get(pid[1].name.removesuffix("Storage"), "")
            if kind and isinstance(pid[2], str):
                sizes[pid[2]] = 2 if kind == _BFLOAT16 else np.dtype(kind).itemsize
        return _Storage(np.empty(0), "")

    skipped = {**TORCH, **{name: _nothing for name, make in TORCH.items() if make is not None}}
    used = unpickle(rest, skipped, measure)[1]
    pickled, rest = rest[:used], rest[used:]
    keys, used = unpickle(rest, {})
    at, found = used, {}
    if not isinstance(keys, list) or not all(isinstance(key, str) for key in keys):
        raise InputError("damaged (the names of its storages)")
    for key in keys:
        if key not in sizes or at + 8 > len(rest):
            raise InputError(f"damaged (the storage {key} is missing)")
        (count,) = struct.unpack_from("<Q", rest, at)
        end = at + 8 + count * sizes[key]
        if end > len(rest):
            raise InputError(f"damaged (the storage {key} is cut off)")
        found[key] = rest[at + 8 : end]
        at = end

    def storage(key: str) -> bytes:
        if key not in found:
            raise InputError(f"damaged (the storage {key} is missing)")
        return found[key]

    return unpickle(pickled, TORCH, _Storages(storage))[0]


def _nothing(*_: Any) -> Record:
    return Record("")
