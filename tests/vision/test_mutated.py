"""Damaged picture files and odd folders: a picture, or one line that names it.

`python -m tests.vision.test_mutated --files 2000 --folders 200` tries more of them.
"""

import argparse
import io
import os
import shutil
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from aiec_graph.errors import InputError
from aiec_graph.vision.folders import decode_picture
from aiec_graph.vision.images import list_images
from aiec_graph.vision.profile import profile_pictures

FORMATS = ("PNG", "JPEG", "GIF", "BMP", "TIFF", "WEBP", "PPM")
LONGEST = 10.0
"""Seconds that a file or folder may take; it takes milliseconds."""


def encoded(rng, kind):
    mode = rng.choice(
        ["RGB", "L", "P", "1"] if kind not in ("JPEG", "WEBP", "PPM") else ["RGB", "L"]
    )
    size = rng.integers(1, 40, 2)
    pixels = rng.integers(0, 255, (*size, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).convert(str(mode)).save(stream, kind)
    return stream.getvalue()


def mutated(rng, content):
    """One to three changes of a file's bytes."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at = int(rng.integers(0, max(len(data), 1)))
        kind = rng.integers(0, 7)
        if kind == 0:
            data = data[:at]
        elif kind == 1 and data:
            data[at] ^= 1 << int(rng.integers(0, 8))
        elif kind == 2:
            data[at:at] = rng.bytes(int(rng.integers(1, 30)))
        elif kind == 3:
            del data[at : at + int(rng.integers(1, 30))]
        elif kind == 4:
            data[at : at + 8] = b"\xff" * len(data[at : at + 8])
        elif kind == 5:
            data[at : at + 8] = bytes(len(data[at : at + 8]))
        else:  # the head, where sizes stand
            head = min(len(data), 40)
            data[:head] = bytes(
                b if rng.random() < 0.9 else rng.integers(0, 256) for b in data[:head]
            )
    return bytes(data)


def try_files(count, seed=0):
    """Decodes mutated files.

    Returns:
        How many were pictures all the same.
    """
    rng = np.random.default_rng(seed)
    good = 0
    for i in range(count):
        content = mutated(rng, encoded(rng, FORMATS[i % len(FORMATS)]))
        started = time.monotonic()
        try:
            image = decode_picture(content, f"file {i}").image
            assert image.mode == "RGB"
            good += 1
        except InputError as error:
            text = str(error)
            assert text.startswith(f"file {i}: ") and "\n" not in text and len(text) < 300
        assert time.monotonic() - started < LONGEST
    return good


ODD_NAMES = ("a b", "ä", "日本", "-x", "x\ny", "x'\"y", "~", "$(id)", "a" * 200, "=1+1", "con", "…")


def odd_folder(rng, root):
    """A folder with train/ and test/ to which one to four odd things were done."""
    kinds = ["cat", "dog", str(rng.choice(ODD_NAMES))]
    parts = ["train", str(rng.choice(["test", "val", "valid", "validation"]))]
    for part in parts:
        for kind in kinds:
            (root / part / kind).mkdir(parents=True)
            for i in range(3):
                kind_of = FORMATS[int(rng.integers(0, len(FORMATS)))]
                path = root / part / kind / f"{i}.{kind_of.lower()}"
                path.write_bytes(encoded(rng, kind_of))
    for _ in range(rng.integers(1, 5)):
        place = root / str(rng.choice(parts)) / str(rng.choice(kinds))
        if place.is_dir() and not place.is_symlink():
            _disturb(rng, int(rng.integers(0, 11)), place)


def _disturb(rng, what, place):
    odd = str(rng.choice(ODD_NAMES))
    files = sorted(place.iterdir())
    if what == 0:
        shutil.rmtree(place)
    elif what == 1:
        for file in files:
            shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink()
    elif what == 2:
        (place / "loop").unlink(missing_ok=True)
        (place / "loop").symlink_to(place.parent)
    elif what == 3:
        (place / "gone.png").unlink(missing_ok=True)
        (place / "gone.png").symlink_to(place / "nowhere")
    elif what == 4:
        (place / f"{odd}.png").write_bytes(encoded(rng, "PNG"))
    elif what == 5:
        (place / odd).mkdir(exist_ok=True)
        (place / odd / "deep.jpg").write_bytes(encoded(rng, "JPEG"))
    elif what == 6:
        Path(os.fsdecode(os.fsencode(place) + b"/caf\xe9.png")).write_bytes(encoded(rng, "PNG"))
    elif what == 7:
        (place / "notes.txt").write_text("no picture")
    elif what == 8:
        (place / "folder.png").mkdir(exist_ok=True)
    elif what == 9:
        (place / "broken.png").write_bytes(mutated(rng, encoded(rng, "PNG")))
    else:
        (place.parent / "stray.png").write_bytes(encoded(rng, "PNG"))


def try_folders(count, seed=0):
    """Checks odd folders.

    Returns:
        How many can be used.
    """
    rng = np.random.default_rng(seed)
    good = 0
    for _ in range(count):
        with tempfile.TemporaryDirectory() as place:
            root = Path(place) / "d"
            odd_folder(rng, root)
            started = time.monotonic()
            found = profile_pictures(str(root), root)
            good += not found.faults
            for line in (*found.faults, *found.notes):
                line.encode()
            try:
                list_images(root).raise_faults()
            except InputError:
                assert found.faults, "what a training refuses, the check has told"
            assert time.monotonic() - started < LONGEST
    return good


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))


def test_mutated_files():
    assert 20 < try_files(350) < 330, "some are pictures all the same, and some are not"


def test_odd_folders():
    assert 0 < try_folders(25) < 25


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--folders", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    good = try_files(options.files, options.seed)
    sys.stdout.write(f"{options.files} files: {good} are pictures, the others were refused\n")
    good = try_folders(options.folders, options.seed)
    sys.stdout.write(f"{options.folders} folders: {good} can be used, the others were refused\n")


if __name__ == "__main__":
    main()
