"""Tables in files: every usual encoding, separator and packing, Parquet and sheets."""

import gzip
import zipfile

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aiec_graph.errors import InputError
from aiec_graph.graph.formats.table_file import read_file

TEXT = 'id,name,amount\na,"Rome, IT",1.5\nb,é,\n'
CELLS = [["a", "b"], ["Rome, IT", "é"], ["1.5", None]]


def cells(table):
    frame = table.frame.astype(object).where(table.frame.notna(), None)
    return [list(frame.iloc[:, i]) for i in range(frame.shape[1])]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t.csv", TEXT.encode()),
        ("t.csv", TEXT.encode("utf-8-sig")),
        ("t.csv", TEXT.encode("utf-16")),
        ("t.csv", TEXT.encode("utf-16-le")),
        ("t.csv", TEXT.encode("latin-1")),
        ("t.csv", TEXT.replace("\n", "\r\n").encode()),
        ("t.csv", ("sep=,\r\n" + TEXT).encode()),
        ("t.csv.gz", gzip.compress(TEXT.encode())),
        ("t.csv", gzip.compress(TEXT.encode())),
        ("t.csv", b'id;name;amount\na;"Rome, IT";1.5\nb;\xc3\xa9;\n'),
        ("t.tsv", "id\tname\tamount\na\tRome, IT\t1.5\nb\té\t\n".encode()),
        ("T.TXT", "id|name|amount\na|Rome, IT|1.5\nb|é|\n".encode()),
        ("t.csv", ("\n\n" + TEXT + "\n\n").encode()),
        ("t.csv", b'"id", "name", "amount"\n"a", "Rome, IT", 1.5\n"b", "\xc3\xa9",\n'),
    ],
)
def test_one_table_in_many_forms(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content)
    table = read_file(path)
    assert list(table.frame.columns) == ["id", "name", "amount"]
    assert cells(table) == CELLS


@pytest.mark.parametrize("name", ["t.csv.zip", "t.zip"])
def test_a_zip_with_one_file(tmp_path, name):
    path = tmp_path / name
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("inner/", "")
        archive.writestr("inner/t.csv", TEXT)
        archive.writestr("__MACOSX/._t.csv", "\0")
    assert cells(read_file(path)) == CELLS
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("other.csv", TEXT)
    with pytest.raises(InputError, match="a zip of 2 files" if name == "t.csv.zip" else "no"):
        read_file(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"<!DOCTYPE html><html>log in</html>", "a web page"),
        (b'[{"id": 1},\n {"id": 2}]', "JSON"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
        (b"PAR1\x15\0\x15", "suffix .parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old Excel"),
        (b"'id','name'\n'a','b'\n", "within ' quotes"),
        ("“id”,“name”\n“a”,“b”\n".encode(), "within “ quotes"),
    ],
)
def test_what_is_no_text_table_is_called_by_its_name(tmp_path, content, said):
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_file(tmp_path / "t.csv")


def test_lines_are_right_after_quoted_breaks_and_blank_lines(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text('id,note\n\na,"one\ntwo"\n\nb,x\nc,y\n')
    table = read_file(path)
    assert cells(table) == [["a", "b", "c"], ["one\ntwo", "x", "y"]]
    assert table.locate is not None
    assert [table.locate(row) for row in range(3)] == [3, 6, 7]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty"),
        (b"id,a\n1,2\n3\n", "line 3 has 1"),
        (b'id,a\n1,2\n"3,4\n5,6\n7,8\n9,1\n', "line 3: a quote is opened here"),
        (b"6,2,4\n6,5,2\n", "the first line holds numbers"),
        (b"id,a\n1,\0\0\n", "zero byte"),
        (b"\x1f\x8b\x08broken", "damaged archive"),
    ],
)
def test_what_would_lose_rows_is_refused(tmp_path, content, said):
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=said):
        read_file(path)


def test_parquet_index_parts_and_types(tmp_path):
    frame = pd.DataFrame({"id": ["a", "b"], "x": [1, 2]})
    frame.set_index("id").to_parquet(tmp_path / "index.parquet")
    assert set(read_file(tmp_path / "index.parquet").frame.columns) == {"id", "x"}
    frame.sample(frac=1, random_state=0).to_parquet(tmp_path / "nameless.parquet")
    assert list(read_file(tmp_path / "nameless.parquet").frame.columns) == ["id", "x"]
    parts = tmp_path / "parts.parquet"
    parts.mkdir()
    frame[:1].to_parquet(parts / "part-0.parquet")
    frame[1:].to_parquet(parts / "part-1.parquet")
    assert list(read_file(parts).frame["id"]) == ["a", "b"]
    gaps = pa.table({"id": pa.array([2**60 + 1, None], pa.int64())})
    pq.write_table(gaps, tmp_path / "gaps.parquet")
    assert read_file(tmp_path / "gaps.parquet").frame["id"][0] == 2**60 + 1


def test_parquet_text_that_is_no_text(tmp_path):
    bad = pa.Array.from_buffers(
        pa.string(), 1, [None, pa.py_buffer(b"\0\0\0\0\2\0\0\0"), pa.py_buffer(b"\xff\xfe")]
    )
    pq.write_table(pa.table({"name": bad}), tmp_path / "bad.parquet")
    with pytest.raises(InputError, match="row 0, column name: not UTF-8"):
        read_file(tmp_path / "bad.parquet")


@pytest.mark.parametrize("is_folder", [False, True])
def test_a_page_of_parquet_that_is_not_as_written(tmp_path, is_folder):
    path = tmp_path / "t.parquet"
    file = path / "part.parquet" if is_folder else path
    file.parent.mkdir(exist_ok=True)
    table = pa.table({"x": [1.25] * 3})
    options = {"write_page_checksum": True, "use_dictionary": False, "compression": "none"}
    pq.write_table(table, file, **options)
    content = bytearray(file.read_bytes())
    content[content.index(3 * b"\0\0\0\0\0\0\xf4\x3f") + 6] ^= 1
    file.write_bytes(content)
    with pytest.raises(InputError, match="(?i)crc|checksum"):
        read_file(path)


def test_a_sheet(tmp_path):
    pytest.importorskip("openpyxl")
    path = tmp_path / "t.xlsx"
    pd.DataFrame({"id": ["a", "b"], "x": [1.5, None]}).to_excel(path, index=False)
    table = read_file(path)
    assert cells(table) == [["a", "b"], [1.5, None]]
    assert table.locate is not None and table.locate(1) == 3


def parts_of(path, *frames):
    path.mkdir()
    for i, frame in enumerate(frames):
        frame.to_parquet(path / f"part-{i}.parquet", index=False)
    return read_file(path).frame


def test_parts_of_parquet_whose_kinds_differ(tmp_path):
    one, other = (
        pd.DataFrame({"x": [1, 2], "y": [None, None]}),
        pd.DataFrame({"x": [0.5], "y": [3]}),
    )
    for name, frames in (("a", (one, other)), ("b", (other, one))):
        frame = parts_of(tmp_path / f"{name}.parquet", *frames)
        assert sorted(frame["x"]) == [0.5, 1, 2]
        assert frame["y"].dropna().tolist() == [3]
    text = pd.DataFrame({"x": ["a"], "y": [1]})
    with pytest.raises(InputError, match="x has incompatible types"):
        parts_of(tmp_path / "c.parquet", other, text)
    times = pd.Series(pd.to_datetime(["2026-01-05"]))
    with pytest.raises(InputError, match="with timezone and timestamp without"):
        parts_of(
            tmp_path / "d.parquet", times.to_frame("t"), times.dt.tz_localize("UTC").to_frame("t")
        )


def test_a_formula_without_its_result_is_no_missing_value(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    path = tmp_path / "t.xlsx"
    pd.DataFrame({"id": ["a", "b"], "x": [1.5, 2.5]}).to_excel(path, index=False)
    book = openpyxl.load_workbook(path)
    book.active["B2"] = "=1+1"
    book.save(path)
    with pytest.raises(InputError, match="a formula without its result"):
        read_file(path)
