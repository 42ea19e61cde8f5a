"""DGL's binary graph files, read and written with NumPy alone.

The layout is the one that DGL 0.5 and later write: a head of 4,096 bytes, a dictionary of labels,
the graphs one after the other, and where each begins. Numbers are little-endian; a list or text
carries its length in 64 bits before it. Every length is compared with what is left of the file
before anything of that size is made, and tensors are views of the mapped file.
"""

import mmap
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from aiec_graph.errors import InputError, named
from aiec_graph.files import write_whole

T = TypeVar("T")
Arrays = dict[str, NDArray[Any]]

FILE_MAGIC = 0xDD2E4FF046B4A13F
HETERO_MAGIC = 0xDD589FBE35224ABF
META_MAGIC = 0xDD3C5FFE20046ABF
UNIT_MAGIC = 0xDD2E60F0F6B4A127
CSR_MAGIC = 0xDD6CD31205DFF127
COO_MAGIC = 0xDD61FFD305DFF127
ARRAY_MAGIC = 0xDD5E40F096B4A13F
VERSION = HETERO_GRAPHS = 2
HEAD = 4096
CPU = 1
COO, CSR, CSC = 1, 2, 4
"""Bits of the sparse formats that an edge type is stored in."""
OLD_CODES = {1: COO, 2: CSR, 3: CSC}
"""What files of DGL below 0.6 state in place of those bits."""
HAS_BITS = 1 << 32
ANY_FORMAT = HAS_BITS | COO | CSR | CSC
MAX_DIMENSIONS = 32
_KINDS = {0: "i", 1: "u", 2: "f"}
_CODES = {"i": 0, "u": 1, "f": 2, "b": 1}
_WIDTHS = {"i": (8, 16, 32, 64), "u": (8, 16, 32, 64), "f": (16, 32, 64)}


@dataclass(frozen=True)
class EdgeType:
    """The edges of one type."""

    name: str
    source_type: str
    target_type: str
    source: NDArray[np.integer]
    """Node numbers [E]."""
    target: NDArray[np.integer]
    """Node numbers [E]."""


@dataclass(frozen=True)
class StoredGraph:
    """One graph of a file."""

    num_nodes: dict[str, int]
    """By node type."""
    ndata: dict[str, Arrays]
    """By node type: arrays with a row for each of its nodes."""
    edge_types: list[EdgeType] = field(default_factory=list)
    edata: tuple[str, ...] = ()
    """Names of the arrays of edges, which are not kept."""


def is_dgl_file(path: Path) -> bool:
    """Returns whether a file begins as DGL's do.

    Raises:
        InputError: the file cannot be read.
    """
    try:
        with path.open("rb") as stream:
            return stream.read(8) == struct.pack("<Q", FILE_MAGIC)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None


def read_graphs(path: Path) -> list[StoredGraph]:
    """Reads the graphs of a file; their arrays are read-only views of it.

    Raises:
        InputError: the file is damaged, of DGL below 0.5, or not DGL's at all.
    """
    if not is_dgl_file(path):
        raise InputError(f"{path}: not a file that DGL's save_graphs wrote")
    try:
        with path.open("rb") as stream:
            content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from None
    with named(path):
        return _Reader(memoryview(content)).file()


class _Reader:
    """A position in the file, which every read moves on."""

    def __init__(self, content: memoryview) -> None:
        self._content = content
        self._at = 0

    def file(self) -> list[StoredGraph]:
        _, version, kind, count = (self.number() for _ in range(4))
        if version != VERSION or kind != HETERO_GRAPHS:
            raise InputError(
                f"of version {version}, which DGL below 0.5 wrote; load it there and save it anew"
            )
        self._at = HEAD
        start = self.number()
        if not self._at <= start <= len(self._content):
            raise _damaged("the graphs begin outside the file")
        self._at = start
        return [self.graph() for _ in range(self.checked(count, 8))]

    def graph(self) -> StoredGraph:
        self.expect(HETERO_MAGIC, "a graph")
        self.expect(META_MAGIC, "its types")
        self.expect(CSR_MAGIC, "its types")
        types, source_types, target_types = self.csr()
        relations = [self.edges() for _ in range(self.length(8))]
        counts = [self.number() for _ in range(self.length(8))]
        ndata = self.list_of(lambda: self.list_of(self.named_array))
        edata = self.list_of(lambda: self.list_of(self.named_array))
        node_names, edge_names = self.list_of(self.text), self.list_of(self.text)
        lengths = {len(counts), len(ndata), len(node_names), types}
        names_differ = len(set(node_names)) == len(node_names)
        if len(lengths) != 1 or not names_differ or len(edge_names) != len(relations):
            raise _damaged("its types of nodes or edges do not fit together")
        inside = len(target_types) == 0 or 0 <= target_types.min() <= target_types.max() < types
        if len(source_types) != len(relations) or not inside:
            raise _damaged("its types of nodes or edges do not fit together")
        ends = zip(source_types.tolist(), target_types.tolist(), strict=True)
        return StoredGraph(
            num_nodes=dict(zip(node_names, counts, strict=True)),
            ndata={
                name: _rows(dict(arrays), count)
                for name, arrays, count in zip(node_names, ndata, counts, strict=True)
            },
            edge_types=[
                EdgeType(name, node_names[s], node_names[t], *_within(pair, counts[s], counts[t]))
                for name, pair, (s, t) in zip(edge_names, relations, ends, strict=True)
            ],
            edata=tuple(sorted({name for arrays in edata for name, _ in arrays})),
        )

    def edges(self) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
        """The sources and targets of one edge type, of the first format that it is stored in."""
        self.expect(UNIT_MAGIC, "an edge type")
        code, _ = self.number(), self.number()
        formats = code & 7 if code & HAS_BITS else OLD_CODES.get(code, 0)
        found = []
        for bit in (COO, CSR, CSC):
            if not formats & bit:
                continue
            self.expect(META_MAGIC, "an edge type")
            self.expect(CSR_MAGIC, "an edge type")
            self.csr()
            if bit == COO:
                self.expect(COO_MAGIC, "edges")
                self.take(16)
                found.append((self.whole_numbers(), self.whole_numbers()))
                self.array()
                self.take(2)
            else:
                self.expect(CSR_MAGIC, "edges")
                _, rows, columns = self.csr()
                found.append((rows, columns) if bit == CSR else (columns, rows))
        if not found or len(found[0][0]) != len(found[0][1]):
            raise _damaged("an edge type is without edges")
        return found[0]

    def csr(self) -> tuple[int, NDArray[np.integer], NDArray[np.integer]]:
        """The number of rows of a compressed matrix, and the row and column of each entry.

        Entries come in the order of their own numbers where these are given.
        """
        rows, _ = self.number(), self.number()
        indptr, indices, order = (self.whole_numbers() for _ in range(3))
        self.take(1)
        counts = np.diff(indptr)
        sound = len(indptr) == rows + 1 and indptr[0] == 0 and indptr[-1] == len(indices)
        if not sound or (counts < 0).any():
            raise _damaged("the rows of a compressed matrix do not add up")
        sources = np.repeat(np.arange(rows, dtype=indices.dtype), counts)
        if len(order) == 0:
            return rows, sources, indices
        if len(order) != len(indices) or not np.array_equal(np.sort(order), np.arange(len(order))):
            raise _damaged("the edges of a compressed matrix are not numbered")
        place = np.argsort(order)
        return rows, sources[place], indices[place]

    def array(self) -> NDArray[Any]:
        self.expect(ARRAY_MAGIC, "a tensor")
        self.number()
        device, _, dimensions = struct.unpack("<iii", self.take(12))
        code, bits, lanes = struct.unpack("<BBH", self.take(4))
        kind = _KINDS.get(code, "")
        if device != CPU or lanes != 1 or bits not in _WIDTHS.get(kind, ()):
            raise InputError(
                f"a tensor of a kind that is not read (code {code}, {bits} bits); save numbers"
            )
        if not 0 <= dimensions <= MAX_DIMENSIONS:
            raise _damaged(f"a tensor of {dimensions} dimensions")
        shape = struct.unpack(f"<{dimensions}Q", self.take(8 * dimensions))
        size = bits // 8
        for extent in shape:
            size *= extent
        if self.number() != size:
            raise _damaged("a tensor's shape differs from its size")
        flat = np.frombuffer(self.take(size), np.dtype(f"<{kind}{bits // 8}"))
        try:
            return flat.reshape(shape)
        except (ValueError, OverflowError):  # without elements, an extent may be anything
            raise _damaged(f"a tensor of the shape {list(shape)}") from None

    def whole_numbers(self) -> NDArray[np.integer]:
        array = self.array()
        if array.dtype not in (np.int32, np.int64) or array.ndim != 1:
            raise _damaged("node numbers that are not whole numbers")
        return array

    def named_array(self) -> tuple[str, NDArray[Any]]:
        return self.text(), self.array()

    def text(self) -> str:
        try:
            return bytes(self.take(self.length(1))).decode()
        except UnicodeDecodeError:
            raise _damaged("a name is not UTF-8") from None

    def list_of(self, read: Callable[[], T]) -> list[T]:
        return [read() for _ in range(self.length(8))]

    def length(self, least: int) -> int:
        return self.checked(self.number(), least)

    def checked(self, count: int, least: int) -> int:
        """A number of parts of at least so many bytes each, if so many can follow."""
        if count * least > len(self._content) - self._at:
            raise _damaged(f"it ends before {count} parts that it announces")
        return count

    def number(self) -> int:
        return int(struct.unpack("<Q", self.take(8))[0])

    def expect(self, magic: int, what: str) -> None:
        if self.number() != magic:
            raise _damaged(f"{what} should begin at byte {self._at - 8}")

    def take(self, count: int) -> memoryview:
        if count > len(self._content) - self._at:
            raise _damaged(f"it ends within a part that begins at byte {self._at}")
        self._at += count
        return self._content[self._at - count : self._at]


def _damaged(what: str) -> InputError:
    return InputError(f"damaged, or not a DGL graph of version 0.5 or later ({what})")


def _rows(arrays: Arrays, nodes: int) -> Arrays:
    for name, array in arrays.items():
        if array.ndim == 0 or len(array) != nodes:
            raise _damaged(f"{name} is not given for each of {nodes} nodes")
    return arrays


def _within(
    ends: tuple[NDArray[np.integer], NDArray[np.integer]], sources: int, targets: int
) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    for end, nodes in zip(ends, (sources, targets), strict=True):
        if len(end) and not (end.min() >= 0 and end.max() < nodes):
            wrong = end.min() if end.min() < 0 else end.max()
            raise InputError(f"an edge names node {wrong}, but there are {nodes} nodes")
    return ends


def write_graph(
    path: Path,
    source: NDArray[np.integer],
    target: NDArray[np.integer],
    ndata: Mapping[str, NDArray[Any]],
) -> None:
    """Writes a graph of one node type and one edge type, as DGL's `save_graphs` does.

    Args:
        path: the file.
        source: [E].
        target: [E].
        ndata: arrays with a row for each node, at least one; booleans become 0 and 1.

    Raises:
        InputError: the file cannot be written.
    """
    nodes = len(next(iter(ndata.values())))
    types = _numbers(META_MAGIC, CSR_MAGIC, 1, 1), (np.array([0, 1]), *[np.array([0])] * 2), b"\0"

    def write(draft: Path) -> None:
        with draft.open("wb") as stream:
            head = _numbers(FILE_MAGIC, VERSION, HETERO_GRAPHS, 1).ljust(HEAD, b"\0")
            start = HEAD + 16  # behind an empty dictionary of labels
            _put(stream, head + _numbers(start, 0))
            _put(stream, _numbers(HETERO_MAGIC))
            _put(stream, *types)
            _put(stream, _numbers(1, UNIT_MAGIC, HAS_BITS | COO, ANY_FORMAT))
            _put(stream, *types)
            ends = tuple(np.asarray(end, np.int64) for end in (source, target))
            _put(stream, _numbers(COO_MAGIC, nodes, nodes), (*ends, np.empty(0, np.int64)), b"\0\0")
            _put(stream, _numbers(1, nodes, 1, len(ndata)))
            for name, array in ndata.items():
                _put(stream, _text(name), (array,))
            _put(stream, _numbers(1, 0, 1), _text("_N"), _numbers(1), _text("_E"))
            _put(stream, _numbers(16, 1, start, 16))

    write_whole(path, write)


def _put(stream: BinaryIO, *parts: bytes | tuple[NDArray[Any], ...]) -> None:
    for part in parts:
        if isinstance(part, bytes):
            stream.write(part)
            continue
        for array in part:
            plain = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
            kind = struct.pack("<BBH", _CODES[plain.dtype.kind], 8 * plain.itemsize, 1)
            stream.write(_numbers(ARRAY_MAGIC, 0) + struct.pack("<iii", CPU, 0, plain.ndim) + kind)
            stream.write(_numbers(*plain.shape, plain.nbytes))
            stream.write(plain.reshape(-1).view(np.uint8).data if plain.size else b"")


def _numbers(*numbers: int) -> bytes:
    return struct.pack(f"<{len(numbers)}Q", *numbers)


def _text(text: str) -> bytes:
    return _numbers(len(text.encode())) + text.encode()
