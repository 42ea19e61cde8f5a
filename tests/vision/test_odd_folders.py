"""Folders, tables and saved data sets that mislead: the right reading, or one line, never a guess."""

import io
import json
import unicodedata
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from torch.multiprocessing.spawn import ProcessRaisedException

from aiec_graph.artifacts.image_scores import _labels, _unknown
from aiec_graph.bench.vision_config import VisionConfig, shown_name
from aiec_graph.cli.main import main
from aiec_graph.errors import DivergedError, InputError
from aiec_graph.vision import VisionSettings, load_images
from aiec_graph.vision.folders import decode_picture
from aiec_graph.vision.listing import printable
from aiec_graph.vision.profile import profile_pictures
from aiec_graph.vision.quiet import own_errors
from aiec_graph.vision.recognise import holds_pictures
from aiec_graph.vision.stratify import stratified

PLAIN = VisionSettings(augment="none", image_size=8)
COMPOSED, APART = (unicodedata.normalize(form, "café") for form in ("NFC", "NFD"))


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))


def put(root, *names):
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        seed = list(str(path).encode())
        pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(path)


def put_classes(root, parts=("train/", "test/"), classes=("cat", "dog"), count=4):
    put(root, *(f"{p}{c}/{i}.png" for p in parts for c in classes for i in range(count)))


def load(root, **options):
    return load_images(str(root), PLAIN, root.parent, **options)


def refused(root, match, **options):
    with pytest.raises(InputError, match=match):
        load(root, **options)


def test_one_picture_of_each_class_is_trained_on():
    for counts in ([1] * 10, [2] * 10, [1, 30, 1]):
        labels = np.repeat(np.arange(len(counts)), counts)
        for share in (0.1, 0.5, 0.8, 1):
            taken, left = stratified(labels, np.arange(len(labels)), share)
            assert {*labels[taken]} == {*range(len(counts))}
            assert sorted([*taken, *left]) == list(range(len(labels)))


def test_too_few_pictures_to_draw_from(tmp_path):
    put_classes(tmp_path / "d", [""], count=1)
    refused(tmp_path / "d", "2 pictures are too few to draw a test from")
    put_classes(tmp_path / "p", count=1)
    refused(tmp_path / "p", "2 training images of 2 classes: none is left to validate on")
    put_classes(tmp_path / "q", count=2)
    settings = VisionSettings(image_size=8, limit_train=50)
    notes = load_images(str(tmp_path / "q"), settings, tmp_path).notes
    assert "limit_train 50: there are 3, all are taken" in notes


def test_folders_of_other_programs_are_no_classes(tmp_path):
    put_classes(tmp_path / "d", [""])
    put(tmp_path / "d", "__MACOSX/cat/a.png", "cat/@eaDir/b.png")
    data = load(tmp_path / "d")
    assert list(data.class_names) == ["cat", "dog"]
    assert len(data.train) + len(data.val) + len(data.test) == 8


def test_what_is_not_read_or_read_from_deeper_is_said(tmp_path):
    put_classes(tmp_path / "d")
    put(tmp_path / "d", "a.png", "train/b.png", "train/cat/more/c.png")
    notes = "\n".join(load(tmp_path / "d").notes)
    for words in ("d: a.png", "d/train: b.png", "1 picture in folders below a class's folder"):
        assert words in notes
    put(tmp_path / "loose", "a.png", "b.png")
    assert holds_pictures(tmp_path / "loose")
    refused(tmp_path / "loose", "no folder for any class in it; 2 pictures not read.*a.png, b.png")


@pytest.mark.parametrize(
    ("first", "second"), [("training_set", "test_set"), ("seg_train", "seg_test")]
)
def test_parts_under_other_names_are_not_taken_for_classes(first, second, tmp_path):
    put_classes(tmp_path / "d", [f"{first}/", f"{second}/"])
    refused(tmp_path / "d", "named as parts, not as classes; call them train/")


def test_a_folder_too_high(tmp_path):
    put_classes(tmp_path / "d" / "inner")
    refused(tmp_path / "d", r"one class alone, inner.*or do you mean .*/inner\?")
    put_classes(tmp_path / "v", [""], ["train", "bus"])
    refused(tmp_path / "v", "train alone is there. If that is a class, put all classes into train/")


def test_accents_in_both_forms_are_one_class(tmp_path):
    put_classes(tmp_path / "d", ["train/"], [COMPOSED, "dog"])
    put_classes(tmp_path / "d", ["test/"], [APART, "dog"])
    data = load(tmp_path / "d")
    assert list(data.class_names) == [COMPOSED, "dog"]
    assert np.bincount(data.test.labels).tolist() == [4, 4]
    put(tmp_path / "d", f"test/{COMPOSED}/a.png")
    if len(list((tmp_path / "d" / "test").iterdir())) == 3:  # some file systems know one form alone
        refused(tmp_path / "d", "is there twice, as ")


def test_classes_of_one_part_alone(tmp_path):
    put_classes(tmp_path / "d")
    put(tmp_path / "d", "test/yak/a.png", "test/zebra/a.png")
    refused(tmp_path / "d", "differ in the class 'yak' and 1 more: 'yak', 'zebra' in test alone")
    put_classes(tmp_path / "c", ["train/"], ["cat", "dog"])
    put_classes(tmp_path / "c", ["test/"], ["Cat", "dog"])
    refused(tmp_path / "c", "their names differ in capitals alone")


def test_pages_frames_and_copies_are_said(tmp_path):
    put_classes(tmp_path / "d", ["train/", "val/", "test/"])
    frames = [Image.new("RGB", (8, 8), color) for color in ("red", "blue")]
    for name in ("a.gif", "a.tiff", "a.webp"):
        frames[0].save(tmp_path / "d/train/cat" / name, save_all=True, append_images=frames[1:])
    frames[1].save(tmp_path / "d/train/cat/one.gif")
    same = (tmp_path / "d/val/cat/0.png").read_bytes()
    (tmp_path / "d/test/cat/same.png").write_bytes(same)
    report = profile_pictures(str(tmp_path / "d"), tmp_path).report
    names = [name.rpartition("/")[2] for name in report.several]
    assert names == ["a.gif", "a.tiff", "a.webp"]
    assert [name.rpartition("/")[2] for name in report.shared] == ["same.png"]
    assert report.duplicates == []
    content = (tmp_path / "d/train/cat/a.gif").read_bytes()
    assert decode_picture(content, "a").image.getpixel((0, 0)) == (255, 0, 0)


def table(root, header, lines):
    path = root / "list.csv"
    path.write_text("\n".join([header, *lines]))
    return path


def test_tables_that_mislead(tmp_path):
    put(tmp_path, *(f"{c}{i}.png" for c in "ab" for i in range(5)))
    rows = [f"{c}{i}.png,{c}" for c in "ab" for i in range(5)]
    parts = [f"{row},{'test' if '4' in row else 'train'}" for row in rows]
    for header, lines, words in (
        ("Path,label", rows, "no column 'path'; found Path, label; call 'Path' so"),
        ("path,label,Split", parts, "no column 'split'.*call 'Split' so"),
        ("path,path,label", [f"a0.png,{row}" for row in rows], "2 columns 'path'"),
        ("path,label", [*rows, "a0.png,b"], r"line 12: a0\.png is 'b', and 'a' in a row above"),
        ("path,label,split", [*parts, "a0.png,c,test"], "line 12: a0.png is 'c'"),
        ("path,label,split", [*parts[:-1], "b4.png,c,test"], "train has no picture of: 'c'"),
        ("path,label", rows[:5], "one class alone in train: 'a'"),
        ("path,label", [*rows, ".\\a0.png,a"], r"line 12: 1 file is not there.*take / in place"),
        ("path,label", [], "no row below its header"),
    ):
        refused(table(tmp_path, header, lines), words)
        assert holds_pictures(tmp_path / "list.csv"), header
    refused(
        table(tmp_path, "path,label", rows),
        "names its classes itself",
        classes=class_file(tmp_path),
    )
    data = load(table(tmp_path, "path,label,set", [f"{row},x" for row in [*rows, rows[0]]]))
    notes = "\n".join(data.notes)
    assert "columns that are not read: set" in notes and "1 row name a file again: a0" in notes
    (tmp_path / "list.csv").rename(tmp_path / "graph.csv")
    (tmp_path / "graph.csv").write_text("source,target,path\n1,2,a.png\n")
    assert not holds_pictures(tmp_path / "graph.csv")


def class_file(root):
    (root / "classes.txt").write_text("a\nb\n")
    return root / "classes.txt"


def save(root, split, labels, of="00001", content=True):
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    image = {"bytes": stream.getvalue() if content else None, "path": None}
    features = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["a", "b"]}}
    stored = pa.table({"image": [image] * len(labels), "label": labels})
    if not content:
        stored = stored.set_column(
            0,
            "image",
            pa.nulls(len(labels), pa.struct([("bytes", pa.binary()), ("path", pa.string())])),
        )
    described = json.dumps({"info": {"features": features}})
    (root / "data").mkdir(parents=True, exist_ok=True)
    path = root / "data" / f"{split}-00000-of-{of}.parquet"
    pq.write_table(stored.replace_schema_metadata({"huggingface": described}), path)


def test_saved_data_sets_that_mislead(tmp_path):
    root = tmp_path / "hub"
    save(root, "train", [0, 1] * 4)
    save(root, "test", [0, 1], content=False)
    refused(root, "test/000000: no picture in this row")
    save(root, "test", [0, 1])
    assert len(load(root).test) == 2
    for split in ("val", "validation"):
        save(root, split, [0, 1])
    refused(root, "both the splits val and validation")
    (root / "data" / "val-00000-of-00001.parquet").unlink()
    save(root, "train", [0] * 4)
    refused(root, "test has 1 of the classes that train has no picture of: 'b'|val has 1")
    (root / "data" / "train-00000-of-00001.parquet").unlink()
    save(root, "train", [0, 1], of="00003")
    refused(root, "1 of the 3 files data/train-")


def test_names_stay_on_one_line():
    assert printable(Path("a\nb\x1b[1m\u2028é")) == "a\\nb\\x1b[1m\\u2028é"
    assert shown_name(".") == Path.cwd().name and shown_name("a/b\nc/") == "b\\nc"


def test_what_cannot_be_asked_for(tmp_path):
    put_classes(tmp_path / "d")
    put_classes(tmp_path / "e", [""])
    for changes, words in (
        ({"skip": [{"backbone": "shufflenet"}]}, "skip leaves out every run"),
        ({"dataset": ["digits"], "classes": Path("no.txt")}, "--classes is for folders"),
        ({"out": tmp_path / "d" / "train" / "runs"}, "lies among the pictures"),
        ({"dataset": [str(tmp_path / "e")], "out": tmp_path / "e" / "runs"}, "lies among"),
    ):
        wanted = {"dataset": [str(tmp_path / "d")], "backbone": ["shufflenet"], "act": ["relu"]}
        with pytest.raises(InputError, match=words):
            VisionConfig(**{**wanted, **changes}).check()
    VisionConfig(dataset=[str(tmp_path / "d")], out=tmp_path / "d" / "results").check()


def test_a_run_that_cannot_begin_leaves_no_folder(tmp_path, capsys):
    put_classes(tmp_path / "d")
    command = ["vision", "--dataset", str(tmp_path / "d"), "--backbone", "shufflenet", "--act"]
    command += ["relu", "--seeds", "1", "--epochs", "1", "--out", str(tmp_path / "o")]
    for option, value, words in (
        ("--image-size", "7", "at least 8 pixels"),
        ("--batch-size", "1", "a step of one image"),
        ("--devices", "200", "7 training images for 200 processes"),
    ):
        small = [] if option == "--image-size" else ["--image-size", "8"]
        assert main([*command, *small, option, value]) == 2
        assert words in capsys.readouterr().err
        assert not (tmp_path / "o").exists()
    (tmp_path / "o").mkdir()
    assert main([*command, "--image-size", "7"]) == 2
    assert (tmp_path / "o").exists(), "it was there before"


def test_errors_of_other_processes_are_told_without_their_tracebacks():
    around = "Caught InputError in DataLoader worker process 0.\nOriginal Traceback\n  File x\n"
    with pytest.raises(InputError, match=r"^a\.png: an empty file$"), own_errors():
        raise InputError(f"{around}aiec_graph.errors.InputError: a.png: an empty file\n")
    with pytest.raises(DivergedError, match="^the loss is nan$"), own_errors():
        text = (
            "-- Process 1 terminated\nTraceback\naiec_graph.errors.DivergedError: the loss is nan"
        )
        raise ProcessRaisedException(text, 1, 2)
    with pytest.raises(ProcessRaisedException), own_errors():
        raise ProcessRaisedException("KeyError: 1", 1, 2)


def test_why_there_is_no_accuracy():
    names = ["café", "a\\nb"]
    below = [Path(APART, "1.png"), Path("a\nb", "2.png")]
    assert _labels(below, names).tolist() == [0, 1]
    below.append(Path("zebra", "3.png"))
    assert _labels(below, names) is None and "has no class 'zebra'" in _unknown(below, names)
    assert "not every picture lies" in _unknown([Path("3.png")], names)
