"""Pickles that an attacker writes, instruction by instruction: nothing runs, nothing changes."""

import pickle
import struct
import zipfile

import numpy as np
import pandas as pd
import pytest
import torch

from aiec_graph.errors import InputError
from aiec_graph.graph.storage.frame_file import PANDAS, read_frame
from aiec_graph.graph.storage.pickle_machine import Record, unpickle
from aiec_graph.graph.storage.torch_file import read_torch


def name(module, word):
    return b"c" + module.encode() + b"\n" + word.encode() + b"\n"


def text(word):
    return b"\x8c" + bytes([len(word)]) + word.encode()


START, FRAME = b"\x80\x04", name("pandas", "DataFrame") + b")R."
DTYPE = name("numpy", "dtype") + text("O") + b"\x85R"
ADDRESS = struct.pack("<Q", 0x414141414141)
ATTACKS = {
    "a class is changed": (
        name("pandas", "Index") + b"N}" + text("duplicated") + b"Ns\x86b0" + FRAME,
        "sets the state of pandas.Index",
    ),
    "a function is changed": (
        name("_codecs", "encode") + b"N}" + text("build") + b"Ns\x86b.",
        "sets the state of _codecs.encode",
    ),
    "objects at an address": (
        name("numpy", "ndarray") + b"K\x01\x85" + DTYPE
        + name("builtins", "bytearray") + b"C\x08" + ADDRESS + b"\x85R\x87R.",
        "calls numpy.ndarray",
    ),
    "objects from bytes": (
        name("numpy.core.multiarray", "_reconstruct") + b")R(K\x01K\x01\x85" + DTYPE
        + b"\x89C\x08" + ADDRESS + b"tb.",
        "shape differs",
    ),
    "fewer bytes than numbers": (
        name("numpy._core.numeric", "_frombuffer") + b"(C\x08" + ADDRESS
        + name("numpy", "dtype") + text("f8") + b"\x85RJ\xff\xff\xff\x7f\x85" + text("C") + b"tR.",
        "shape differs",
    ),
    "a structured type": (name("numpy", "dtype") + text("f8,O") + b"\x85R.", "type f8,O"),
    "a system call": (name("os", "system") + text("true") + b"\x85R.", "os.system"),
    "a name with dots": (name("pandas", "DataFrame.eval") + b".", "DataFrame.eval"),
    "what a value calls": (b"K\x01)R.", "calls a value"),
    "a dictionary called": (b"})R.", "calls a value"),
    "items of a class": (name("pandas", "Index") + b"NNs.", "sets items of pandas.Index"),
    "appends to a class": (name("pandas", "Index") + b"Na.", "appends to pandas.Index"),
    "an extension code": (b"\x82\x01.", "no need of"),
    "a set": (b"\x8f.", "no need of"),
    "an old instance": (b"(ios\nsystem\n.", "no need of"),
    "outside": (b"Pid\n.", "outside of the file"),
    "long bytes": (b"\x8e" + struct.pack("<Q", 2**40) + b"abc.", "pickle"),
    "long bytearray": (b"\x96" + struct.pack("<Q", 2**40) + b"abc.", "pickle"),
    "a large memo": (b"Nr\xff\xff\xff\xff.", "not a pandas|holds a"),
    "keys without end": (b")" + b"2\x86" * 60 + b"}\x94)0h\x000N.", "."),
    "a nested key": (b"}" + b")" + b"2\x86" * 60 + b"Ns.", "tuple for a key"),
    "deep": (b"]" * 50_000 + b"a" * 49_999 + b".", "holds a list"),
    "nothing": (b"", "not a readable pickle"),
    "no end": (b"N", "not a readable pickle"),
}  # fmt: skip


@pytest.mark.parametrize("attack", ATTACKS)
def test_attacks_on_frames(tmp_path, attack):
    content, message = ATTACKS[attack]
    before = pd.Index.duplicated, pd.DataFrame.__init__
    path = tmp_path / "f.pkl"
    path.write_bytes(START + content)
    with pytest.raises(InputError, match=message) as error:
        read_frame(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert before == (pd.Index.duplicated, pd.DataFrame.__init__)


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_frames_come_back_as_they_went(tmp_path, protocol):
    frame = pd.DataFrame(
        {
            "words": np.array(["a", "b", None], dtype=object),
            "whole": [1, 2, 3],
            "real": [0.5, np.nan, 2],
            "truth": [True, False, True],
            "more": [7, 8, 9],
        }
    )
    frame["words"] = frame["words"].astype(object)
    frame.columns = pd.Index(list(frame.columns), dtype=object)
    for made in (frame, frame.iloc[::2], frame[["real"]], frame.set_index("whole", drop=False)):
        (tmp_path / "f.pkl").write_bytes(pickle.dumps(made, protocol=protocol))
        pd.testing.assert_frame_equal(
            read_frame(tmp_path / "f.pkl"), made.reset_index(drop=True), check_column_type=False
        )


def test_objects_of_a_file_share_nothing_with_another():
    content = START + name("pandas", "DataFrame") + b")\x81}" + text("a") + b"K\x01sb."
    one, other = (unpickle(content, PANDAS)[0] for _ in range(2))
    assert isinstance(one, Record)
    assert one is not other
    one.state["a"] = 2
    assert other.state == {"a": 1}


def archive(path):
    torch.save({"x": torch.arange(600.0).reshape(60, 10)}, path)
    return path


def test_a_damaged_archive_is_refused_whatever_is_hit(tmp_path):
    path = archive(tmp_path / "g.pt")
    sound = path.read_bytes()
    with zipfile.ZipFile(path) as packed:
        member = next(m for m in packed.infolist() if m.file_size == 2400)
    at = sound.index(np.arange(600, dtype=np.float32).tobytes())
    assert at > member.header_offset
    for start in (at, at + 1000, at + 2396):
        changed = bytearray(sound)
        changed[start] ^= 0x40
        path.write_bytes(changed)
        with pytest.raises(InputError, match="checksums"):
            read_torch(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"K<K\n\x86", b"KxK\n\x86"),  # twice the rows
        (b"K\nK\x01\x86", b"KxK\x01\x86"),  # longer strides
        (b"K\x00K<", b"K\x05K<"),  # a later start
    ],
)
def test_sizes_beyond_the_storage_are_refused(tmp_path, old, new):
    path = archive(tmp_path / "g.pt")
    with zipfile.ZipFile(path) as packed:
        members = {m.filename: packed.read(m) for m in packed.infolist()}
    key = next(k for k in members if k.endswith("data.pkl"))
    assert old in members[key]
    members[key] = members[key].replace(old, new, 1)
    with zipfile.ZipFile(path, "w") as packed:
        for filename, content in members.items():
            packed.writestr(filename, content)
    with pytest.raises(InputError, match="in a storage of 600"):
        read_torch(path)
