"""The fast way through a large CSV file that is all numbers, compiled by Numba.

It reads what a program writes: `-12.5e-3`, commas, one row a line. Whatever else stands there, it
declines, and the general reader in `csv.py` has its say. Each number is rounded to float32 once,
from all its digits, as an exact conversion would.
"""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
from numba import njit, types
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

CHUNK = 2**20  # it and what is made of it stay within a core's own cache
MARGIN = 64  # zeros behind a chunk, so that looking ahead never leaves it
MOST_DIGITS = 19  # of a number in 64 bits
POWERS = np.array([10.0**-i for i in range(60)])
MOST_HARD = 1024

_DECLINED = -1
_EXACT = 24  # a float32 has 24 significant bits of the 53 of a float64
_TAIL = 2 ** (53 - _EXACT) - 1
_TIE = 2 ** (53 - _EXACT - 1)
_DOUBT = 8  # in units of the last place: more than the error of one product and two roundings
_ZEROS = np.uint64(0x3030303030303030)
_ABOVE_NINE = np.uint64(0x7676767676767676)  # added to a byte above 9, it sets the high bit
_HIGH_BITS = np.uint64(0x8080808080808080)
_BYTE_NUMBERS = np.uint64(0x0001020304050607)
_NONE, _ONE = np.uint64(0), np.uint64(1)
_TENS = np.array([10**i for i in range(9)], np.uint64)
_SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
_LARGEST = float(np.finfo(np.float32).max)


def read_numbers(
    path: Path, int_columns: int, float_columns: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]] | None:
    """Reads a CSV file without a header: integers first, then numbers.

    Args:
        path: the file.
        int_columns: number of leading columns of whole numbers.
        float_columns: number of columns of finite numbers after them.

    Returns:
        [rows, int_columns] and [rows, float_columns]; None where the file is not plain enough for
        this reader, or is not at all what it should be.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb", buffering=0) as stream:
        table = _Table(stream.fileno(), int_columns, float_columns)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            jobs = [pool.submit(table.work) for _ in range(os.cpu_count() or 1)]
            sound = all(job.result() for job in jobs)
    if not sound or table.rows == 0:
        return None
    return table.ints[: table.rows], table.floats[: table.rows]


class _Table:
    """The rows that are read so far; several threads take one chunk of the file after another."""

    def __init__(self, descriptor: int, int_columns: int, float_columns: int) -> None:
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size
        # As many rows as the file can hold: what is not written to takes no memory.
        most = self.size // (2 * (int_columns + float_columns)) + 1
        self.ints = np.empty((most, int_columns), np.int64)
        self.floats = np.empty((most, float_columns), np.float32)
        self.rows = 0
        self._position = 0
        self._is_end = np.empty(CHUNK + MARGIN, bool)  # used under the lock only
        self._lock = threading.Lock()

    def work(self) -> bool:
        """Takes chunks until none is left; False where one was declined."""
        buffer = np.zeros(CHUNK + MARGIN, np.uint8)
        # The eight bytes from each position on, as one number.
        words = as_strided(buffer[:8].view(np.uint64), (len(buffer) - 7,), (1,))
        hard = np.empty((MOST_HARD, 4), np.int64)
        while True:
            with self._lock:
                taken = self._take(buffer)
            if taken is None:
                return True
            first, rows, end = taken
            if end == 0 or first + rows > len(self.ints):
                self._position = self.size  # the other threads may stop as well
                return False
            doubtful = _parse(buffer, words, self.ints, self.floats, first, rows, hard, POWERS)
            if not 0 <= doubtful <= MOST_HARD:
                self._position = self.size
                return False
            for row, column, start, stop in hard[:doubtful].tolist():
                text = bytes(buffer[start:stop]).decode("ascii")
                self.floats[row, column] = _round_exactly(text)
                if not np.isfinite(self.floats[row, column]):
                    return False

    def _count_lines(self, lines: NDArray[np.uint8]) -> int:
        is_end = np.equal(lines, ord("\n"), out=self._is_end[: len(lines)])
        return int(np.count_nonzero(is_end))

    def _take(self, buffer: NDArray[np.uint8]) -> tuple[int, int, int] | None:
        """Reads the next chunk of whole lines: its first row, number of rows and of bytes."""
        if self._position >= self.size:
            return None
        got = os.preadv(self.descriptor, [buffer.data[:CHUNK]], self._position)
        last = self._position + got >= self.size
        buffer[got : got + MARGIN] = 0
        end = _after_last_line(buffer[:got])
        if last and end < got:  # the last line may lack its end
            buffer[got] = ord("\n")
            end = got + 1
        first, rows = self.rows, self._count_lines(buffer[:end])
        self._position = self.size if last else self._position + end
        self.rows += rows
        return first, rows, end


def _after_last_line(chunk: NDArray[np.uint8]) -> int:
    """The position behind the last line end, searched from behind; 0 where there is none."""
    size = 2**12
    while True:
        tail = bytes(chunk[-size:].data)
        found = tail.rfind(b"\n")
        if found >= 0:
            return len(chunk) - len(tail) + found + 1
        if size >= len(chunk):
            return 0
        size *= 16


def _round_exactly(text: str) -> float:
    return pa.scalar(text).cast(pa.float32()).as_py()


@njit(nogil=True, cache=True, inline="always")
def _join(word):  # pyright: ignore
    """The number that eight bytes of 0 to 9 spell: pairs, then fours, then all are joined."""
    word = (word * np.uint64(10) + (word >> np.uint64(8))) & np.uint64(0x00FF00FF00FF00FF)
    word = (word * np.uint64(100) + (word >> np.uint64(16))) & np.uint64(0x0000FFFF0000FFFF)
    return (word * np.uint64(10_000) + (word >> np.uint64(32))) & np.uint64(0xFFFFFFFF)


@njit(nogil=True, cache=True, inline="always")
def _digits(words, at, value):  # pyright: ignore
    """Reads on while there are digits, eight at a time, and appends them to `value`."""
    word = words[at] ^ _ZEROS
    other = ((word + _ABOVE_NINE) | word) & _HIGH_BITS  # marks what is no digit
    while other == _NONE:
        value = value * np.uint64(100_000_000) + _join(word)
        at += 8
        word = words[at] ^ _ZEROS
        other = ((word + _ABOVE_NINE) | word) & _HIGH_BITS
    count = (((other & (~other + _ONE)) >> np.uint64(7)) * _BYTE_NUMBERS) >> np.uint64(56)
    half = np.uint64(32) - np.uint64(4) * count
    word = (word << half) << half  # what follows the digits goes; zeros lead
    return at + np.intp(count), value * _TENS[count] + _join(word)


# The types are given so that the code is compiled, or found compiled before, at import.
_BYTES = types.Array(types.uint8, 1, "C")
_WORDS = types.Array(types.uint64, 1, "A", aligned=False)
_INTS = types.Array(types.int64, 2, "C")
_FLOATS = types.Array(types.float32, 2, "C")
_POWERS = types.Array(types.float64, 1, "C")


@njit(
    types.int64(_BYTES, _WORDS, _INTS, _FLOATS, types.int64, types.int64, _INTS, _POWERS),
    nogil=True,
    cache=True,
)
def _parse(buffer, words, ints, floats, first, rows, hard, powers):  # pyright: ignore
    """Parses `rows` lines from the start of `buffer`.

    Returns the number of values that lie too near the middle between two float32 for the short
    way, noted in `hard` as row, column, start and end in the buffer; -1 where it declines.
    """
    int_columns = ints.shape[1]
    columns = int_columns + floats.shape[1]
    doubtful = 0
    at = 0
    for row in range(first, first + rows):
        for column in range(columns):
            cell = at
            negative = np.intp(buffer[at] == 45)
            at += negative
            start = at
            if buffer[at + 1] == 46 and np.uint8(buffer[at] - 48) < 10:
                # One digit before the point, as in most numbers: a guess that is mostly right
                # spares the wait for a count of digits.
                digits = np.uint64(buffer[at] - 48)
                at += 1
            else:
                at, digits = _digits(words, at, np.uint64(0))
            whole = at - start
            if whole == 0:
                return _DECLINED
            if column < int_columns:
                if whole > MOST_DIGITS - 1:
                    return _DECLINED
                ints[row, column] = np.int64(digits) * (1 - 2 * negative)
            else:
                power = 0
                if buffer[at] == 46:
                    at += 1
                    point = at
                    at, digits = _digits(words, at, digits)
                    power = at - point
                    if power == 0:
                        return _DECLINED
                if whole + power > MOST_DIGITS:
                    significant = 0  # digits from the first that is not 0
                    for i in range(start, at):
                        if buffer[i] != 46 and (significant > 0 or buffer[i] != 48):
                            significant += 1
                    if significant > MOST_DIGITS:
                        return _DECLINED
                if buffer[at] == 101 or buffer[at] == 69:
                    at += 1
                    downwards = buffer[at] == 45
                    if downwards or buffer[at] == 43:
                        at += 1
                    start = at
                    at, exponent = _digits(words, at, np.uint64(0))
                    if at == start or at - start > 4:
                        return _DECLINED
                    power += np.int64(exponent) if downwards else -np.int64(exponent)
                if power < 0 or power >= len(powers):
                    return _DECLINED
                value = np.float64(digits) * powers[power]
                if value > _LARGEST:
                    return _DECLINED
                tail = np.float64(value).view(np.int64) & _TAIL
                near_tie = tail - _TIE < _DOUBT and _TIE - tail < _DOUBT
                if near_tie or (value < _SMALLEST_NORMAL and digits != 0):
                    if doubtful < len(hard):
                        hard[doubtful, 0] = row
                        hard[doubtful, 1] = column - int_columns
                        hard[doubtful, 2] = cell
                        hard[doubtful, 3] = at
                    doubtful += 1
                floats[row, column - int_columns] = value * (1.0 - 2.0 * negative)
            if column + 1 < columns:
                if buffer[at] != 44:
                    return _DECLINED
            else:
                if buffer[at] == 13:
                    at += 1
                if buffer[at] != 10:
                    return _DECLINED
            at += 1
    return doubtful
