"""Atomic writes: nothing half-written is found, nothing is lost, nothing is left behind."""

import errno
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aiec_graph.errors import InputError
from aiec_graph.files import DRAFT, remove_drafts, whole_folder, write_whole

ROOT = Path(__file__).parents[1]


def fill(folder, text):
    with whole_folder(folder) as draft:
        (draft / "a.txt").write_text(text)


@pytest.fixture
def umask():
    before = os.umask(0)
    os.umask(before)
    yield os.umask
    os.umask(before)


@pytest.mark.skipif(sys.platform == "win32", reason="permissions of POSIX")
@pytest.mark.parametrize(("mask", "file", "folder"), [(0o077, 0o600, 0o700), (0o027, 0o640, 0o750)])
def test_permissions_follow_the_umask(tmp_path, umask, mask, file, folder):
    umask(mask)
    write_whole(tmp_path / "f.txt", lambda draft: draft.write_text("x"))
    fill(tmp_path / "d", "x")
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.rglob("*")}
    assert modes == {"f.txt": file, "d": folder, "a.txt": file}


def test_a_draft_ends_in_the_files_name(tmp_path):
    seen = []
    write_whole(tmp_path / ("n" * 250 + ".csv"), lambda d: (seen.append(d), d.write_text("x")))
    assert seen[0].name == "n" * 250 + ".csv"
    assert [p.name for p in tmp_path.iterdir()] == [seen[0].name]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyError("k")])
def test_what_was_there_stays_when_a_write_fails(tmp_path, error):
    def write(draft):
        draft.write_text("half")
        raise error

    (tmp_path / "f.txt").write_text("precious")
    fill(tmp_path / "d", "precious")
    kind = InputError if isinstance(error, OSError) else KeyError
    with pytest.raises(kind, match="k|cannot write .*f.txt: No space left"):
        write_whole(tmp_path / "f.txt", write)
    with (
        pytest.raises(kind, match="k|cannot write .*d: No space left"),
        whole_folder(tmp_path / "d"),
    ):
        raise error
    assert (tmp_path / "f.txt").read_text() == (tmp_path / "d" / "a.txt").read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d", "f.txt"]


def test_folders_are_replaced_and_files_are_not_taken_for_them(tmp_path):
    fill(tmp_path / "d", "first")
    fill(tmp_path / "d", "second")
    assert (tmp_path / "d" / "a.txt").read_text() == "second"
    (tmp_path / "f").write_text("precious")
    with pytest.raises(InputError, match="cannot write"):
        fill(tmp_path / "f", "x")
    with pytest.raises(InputError, match="cannot write"):
        write_whole(tmp_path / "d", lambda draft: draft.write_text("x"))
    with pytest.raises(InputError, match="cannot write"):
        write_whole(tmp_path / "f" / "below", lambda draft: draft.write_text("x"))
    assert (tmp_path / "f").read_text() == "precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d", "f"]


def test_the_folder_of_another_process_stands(tmp_path):
    with whole_folder(tmp_path / "d") as draft:
        (draft / "a.txt").write_text("mine")
        # It comes between the removal of the old one and the rename.
        (tmp_path / "d").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "elsewhere").mkdir()
        (tmp_path / "d").unlink()
        (tmp_path / "elsewhere").rename(tmp_path / "d")
    assert (tmp_path / "d").is_dir()
    assert not list(tmp_path.glob(f"{DRAFT}*"))


KILLED = """
import sys, time
from pathlib import Path
from aiec_graph.files import whole_folder, write_whole
def write(draft):
    draft.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
write_whole(Path(sys.argv[1]), write)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
def test_the_draft_of_a_killed_writer_is_removed_and_that_of_a_living_one_is_not(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(tmp_path / "f.txt")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    with process:
        assert process.stdout.readline() == "writing\n"
        (draft,) = tmp_path.glob(f"{DRAFT}*")
        write_whole(tmp_path / "other.txt", lambda path: path.write_text("x"))
        assert (draft / "new" / "f.txt").read_text() == "half"
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert draft.exists()
    write_whole(tmp_path / "other.txt", lambda path: path.write_text("x"))
    assert [p.name for p in tmp_path.iterdir()] == ["other.txt"]


@pytest.mark.skipif(sys.platform == "win32", reason="locks of POSIX")
def test_a_folder_that_a_killed_writer_had_moved_aside_comes_back(tmp_path):
    for name, is_there in (("lost", False), ("replaced", True)):
        old = tmp_path / f"{DRAFT}{name}" / "old" / name
        old.mkdir(parents=True)
        (old / "a.txt").write_text("before")
        if is_there:
            fill(tmp_path / name, "after")
    remove_drafts(tmp_path)
    assert (tmp_path / "lost" / "a.txt").read_text() == "before"
    assert (tmp_path / "replaced" / "a.txt").read_text() == "after"
    assert not list(tmp_path.glob(f"{DRAFT}*"))


def test_many_writers_of_one_file_leave_one_of_their_texts(tmp_path):
    script = """
import sys
from pathlib import Path
from aiec_graph.files import write_whole
for i in range(60):
    write_whole(Path(sys.argv[1]), lambda draft: draft.write_text(sys.argv[2] * 10_000))
"""
    path = tmp_path / "f.txt"
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(path), letter], cwd=ROOT)
        for letter in "abc"
    ]
    while any(process.poll() is None for process in processes):
        if path.exists():
            text = path.read_text()
            assert len(text) == 10_000 and len(set(text)) == 1
        time.sleep(0.001)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert [p.name for p in tmp_path.iterdir()] == ["f.txt"]
