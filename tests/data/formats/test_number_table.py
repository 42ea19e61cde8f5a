"""The fast reader of number tables against exact conversion, and what it declines."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from aiec_graph.data.formats import number_table
from aiec_graph.data.formats.number_table import read_numbers


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("numbers")


def read(folder, text, ints=1, floats=2):
    path = folder / "numbers.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_numbers(path, ints, floats)


def exact(text):
    """float32 from all digits, rounded once."""
    return pa.scalar(text).cast(pa.float32()).as_py()


NUMBERS = st.one_of(
    st.floats(-3e38, 3e38, width=64).map(repr),
    st.floats(-(2.0**100), 2.0**100, width=32).map(repr),
    st.decimals(-1000, 1000, places=17).map(lambda d: f"{d:f}"),
    st.integers(-(10**9), 10**9).map(str),
    # The middle between two float32, and its neighbours: where rounding twice goes wrong.
    st.integers(2**24, 2**25).map(lambda i: f"{i}.50000000"),
    st.integers(2**24, 2**25).map(lambda i: f"{i}.50000001"),
    st.integers(2**24 - 1, 2**25).map(lambda i: f"{i}.4999999999"),
)


@settings(max_examples=300)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=8), st.booleans(), st.booleans())
def test_every_number_is_rounded_once_or_declined(folder, rows, crlf, last_end):
    end = "\r\n" if crlf else "\n"
    text = end.join(f"{i},{a},{b}" for i, (a, b) in enumerate(rows)) + end * last_end
    found = read(folder, text)
    if found is not None:
        assert found[0][:, 0].tolist() == list(range(len(rows)))
        expected = np.array([[exact(a), exact(b)] for a, b in rows], np.float32)
        np.testing.assert_array_equal(found[1], expected)


def test_plain_tables_are_not_declined(folder):
    rng = np.random.default_rng(0)
    # Larger numbers print as 1e+20, which is left to the general reader.
    values = rng.standard_normal((2000, 2)) * 10.0 ** rng.integers(-20, 15, (2000, 2))
    lines = [f"{-i},{a!r},{b!r}\n" for i, (a, b) in enumerate(values.tolist())]
    found = read(folder, "".join(lines))
    assert found is not None
    assert found[0][:, 0].tolist() == [-i for i in range(2000)]
    expected = np.array([[exact(repr(v)) for v in row] for row in values.tolist()], np.float32)
    np.testing.assert_array_equal(found[1], expected)


def test_chunks_join_in_order(folder, monkeypatch):
    monkeypatch.setattr(number_table, "CHUNK", 200)
    rows = [f"{i},{i}.25,-{i}e-2" for i in range(500)]
    found = read(folder, "\n".join(rows))
    assert found is not None
    assert found[0][:, 0].tolist() == list(range(500))
    np.testing.assert_array_equal(found[1][:, 0], np.arange(500) + np.float32(0.25))
    assert read(folder, "\n".join([*rows, "1," + "9" * 300 + ",1"])) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        "1,2\n",
        "1,2,3,4\n",
        "1,2,3\n\n",
        "1,2,\n",
        ",2,3\n",
        "1, 2,3\n",
        "1,+2,3\n",
        "1,.5,3\n",
        "1,2.,3\n",
        '1,"2",3\n',
        "1,nan,3\n",
        "1,inf,3\n",
        "1,1e60,3\n",
        "1,1e-99999,3\n",
        "1,2e,3\n",
        "1,-,3\n",
        "1.5,2,3\n",
        "12345678901234567890,2,3\n",
        "1,0.123456789012345678901,3\n",
        "1,2,3\n1,2",
        "1,2,3\r1,2,3\r",
        b"\xef\xbb\xbf1,2,3\n",
        b"\x1f\x8b\x08\x00\x00\n",
        b"\x00\x00\x00\n",
        b"\xff\xfe1,2,3\n",
    ],
)
def test_what_is_not_plain_is_declined(folder, text):
    assert read(folder, text) is None
