"""Folders of pictures as people have them: what is read, what is said, what is refused."""

import hashlib
import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets

from aiec_graph.errors import InputError
from aiec_graph.vision import VisionSettings, load_images
from aiec_graph.vision.folders import read_picture
from aiec_graph.vision.listing import list_pictures, read_classes
from aiec_graph.vision.sampling import seed_all
from aiec_graph.vision.transforms import test_transform as plain_transform
from aiec_graph.vision.transforms import to_rgb, train_transform

PLAIN = VisionSettings(augment="none", image_size=8)


def picture(seed, size=(12, 12)):
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    return Image.fromarray(pixels)


@pytest.fixture
def pets(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    root = tmp_path / "pets"
    for p, (part, count) in enumerate((("train", 10), ("test", 4))):
        for k, name in enumerate(("cat", "hot dog")):
            (root / part / name).mkdir(parents=True)
            for i in range(count):
                picture(1000 * p + 100 * k + i).save(root / part / name / f"{i}.png")
    return root


def load(root, settings=PLAIN, **options):
    return load_images(str(root), settings, root.parent, **options)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "HSV"])
def test_every_augmentation_at_every_level_on_every_mode(mode):
    image = to_rgb(picture(0, (33, 20)).convert(mode))
    steps = [s for s in train_transform(32, True).transforms if hasattr(s, "ops")]
    for operation in steps[0].ops:
        operation.prob, operation.magnitude_std = 1.0, 0
        for level in range(11):
            operation.magnitude = level
            out = operation(image)
            assert (out.mode, out.size) == ("RGB", image.size)


def test_no_bits_left_is_a_black_picture():
    steps = [s for s in train_transform(32, True).transforms if hasattr(s, "ops")]
    posterize = next(o for o in steps[0].ops if o.name.startswith("Posterize"))
    posterize.prob, posterize.magnitude, posterize.magnitude_std = 1.0, 10, 0
    assert np.asarray(posterize(picture(1))).max() == 0


def test_augmented_pictures_can_be_handed_to_another_process(pets):
    own = load(pets, VisionSettings(image_size=32)).train
    other = pickle.loads(pickle.dumps(own))
    for image in range(len(own)):
        seed_all(1, image)
        pixels, label = own[image]
        seed_all(1, image)
        same_pixels, same_label = other[image]
        assert label == same_label and np.array_equal(pixels, same_pixels)


def test_small_wide_pictures_have_one_geometry():
    wide = picture(2, (64, 16))
    shown = plain_transform(16)(wide)
    left_end = wide.crop((0, 0, 8, 16)).resize((2, 16), Image.Resampling.BICUBIC)
    assert abs(shown[:, :, :2].mean() - plain_transform(16)(left_end)[:, :, :8].mean()) < 0.3
    first, other = (t.transforms[0] for t in (plain_transform(16), train_transform(16, True)))
    assert str(first) == str(other), "the margins are seen in both"


def test_usual_suffixes_are_read_and_others_are_named(pets):
    picture(7).save(pets / "train" / "cat" / "a.gif")
    picture(8).save(pets / "train" / "cat" / "b.jfif", format="JPEG")
    (pets / "train" / "cat" / "notes.txt").write_text("no picture")
    (pets / "train" / "cat" / "._0.png").write_bytes(b"macOS")
    (pets / "train" / ".ipynb_checkpoints").mkdir()
    data = load(pets)
    assert len(data.train) + len(data.val) == 22
    assert data.num_classes == 2
    assert (
        len(data.notes) == 1 and "1 file left out" in data.notes[0] and "notes.txt" in data.notes[0]
    )


def test_all_broken_pictures_are_named_at_once_before_any_training(pets):
    whole = (pets / "train" / "cat" / "1.png").read_bytes()
    (pets / "train" / "cat" / "1.png").write_bytes(whole[: len(whole) // 2])
    (pets / "train" / "cat" / "2.png").write_bytes(b"")
    (pets / "test" / "cat" / "3.png").write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError) as caught:
        load(pets)
    for name in ("3 pictures cannot be read", "1.png", "2.png", "3.png"):
        assert name in str(caught.value)


def test_a_decompression_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    picture(1, (40, 40)).save(tmp_path / "big.png")
    with pytest.raises(InputError, match=r"big\.png: too many pixels"):
        read_picture(tmp_path / "big.png")


def test_links(pets):
    (pets / "train" / "cat" / "loop").symlink_to(pets / "train" / "cat")
    assert len(list_pictures(pets / "train").paths) == 20
    (pets / "train" / "cat" / "gone.png").symlink_to(pets / "nowhere.png")
    with pytest.raises(InputError, match=r"gone\.png: a link that leads nowhere"):
        list_pictures(pets / "train")


def test_names_that_are_not_utf_8(pets):
    odd = os.fsencode(pets / "train" / "cat") + b"/caf\xe9.png"
    try:
        with open(odd, "wb") as stream:  # noqa: PTH123
            picture(3).save(stream, format="PNG")
    except OSError:
        pytest.skip("this file system takes UTF-8 names alone")
    data = load(pets)
    assert len(data.files("train")) == len(data.train)
    assert all(name.isprintable() for name in data.files("train"))


def test_copies_of_training_pictures_in_the_test_are_said(pets):
    (pets / "test" / "cat" / "0.png").write_bytes((pets / "train" / "cat" / "0.png").read_bytes())
    assert any(
        "1 picture of the other parts the same as training pictures" in note
        for note in load(pets).notes
    )


def test_which_folder_is_which(pets):
    (pets / "test").rename(pets / "valid")
    data = load(pets)
    assert (len(data.test), data.notes) == (8, ("no test/: valid/ is the test",))
    (pets / "valid").rename(pets / "test")
    (pets / "train").rename(pets / "validation")
    with pytest.raises(InputError, match="must hold train/"):
        load(pets)


def test_val_is_read_where_it_is_there_and_drawn_by_class_where_not(pets):
    drawn = load(pets)
    assert (len(drawn.train), len(drawn.val)) == (18, 2)
    for i in range(3):
        for name in ("cat", "hot dog"):
            (pets / "val" / name).mkdir(parents=True, exist_ok=True)
            picture(5000 + i).save(pets / "val" / name / f"{i}.png")
    data = load(pets)
    assert (len(data.train), len(data.val), len(data.test)) == (20, 6, 8)


def test_a_limit_keeps_classes_even(tmp_path):
    for limit in (10, 20, 50):
        settings = VisionSettings(image_size=8, limit_train=limit)
        data = load_images("digits", settings, tmp_path)
        labels = data.train.dataset.labels[data.train.indices]
        counts = np.bincount(labels, minlength=10)
        assert counts.sum() == limit and counts.max() - counts.min() <= 1
    with pytest.raises(InputError, match="limit_train 5 leaves classes without"):
        load_images("digits", VisionSettings(limit_train=5), tmp_path)


def test_one_folder_of_classes_is_split(pets):
    data = load(pets / "train")
    assert len(data.test) == 4 and "4 of 20 pictures drawn" in data.notes[0]


def test_a_table_lists_files_and_classes(pets):
    lines = ["path,label,split"]
    for part, split in (("train", "train"), ("test", "test")):
        for path in sorted((pets / part).rglob("*.png")):
            lines.append(f"{path.relative_to(pets)},{path.parent.name},{split}")
    (pets / "list.csv").write_text("\n".join(lines))
    data = load(pets / "list.csv")
    assert (len(data.train) + len(data.val), len(data.test)) == (20, 8)
    assert list(data.class_names) == ["cat", "hot dog"]
    (pets / "list.csv").write_text("path,label\nno.png,cat\nnor.png,dog\n")
    with pytest.raises(InputError, match="2 files are not there"):
        load(pets / "list.csv")
    (pets / "list.csv").write_text("path;label\n\nno.png;cat\n;dog\n")
    with pytest.raises(InputError, match="line 4: no path"):
        load(pets / "list.csv")
    (pets / "list.csv").write_text("file,class\n")
    with pytest.raises(InputError, match="no column 'path'; found file, class"):
        load(pets / "list.csv")


def test_class_files_hold_a_name_a_line(tmp_path):
    path = tmp_path / "classes.txt"
    path.write_bytes("\ufeffhot dog\ncat\n\n".encode())
    assert read_classes(path) == ["cat", "hot dog"]


def test_transparency_depth_and_orientation(tmp_path):
    clear = Image.new("RGBA", (4, 4), (255, 0, 0, 0))
    assert np.asarray(to_rgb(clear)).min() == 255, "laid on white: hidden colours are not seen"
    deep = Image.fromarray(np.array([[0, 257, 65535]], dtype=np.uint16))
    assert np.asarray(to_rgb(deep))[0, :, 0].tolist() == [0, 1, 255]
    shares = Image.fromarray(np.array([[0.0, 0.5, 1.0]], dtype=np.float32))
    assert np.asarray(to_rgb(shares))[0, :, 0].tolist() == [0, 128, 255]
    turned = Image.new("RGB", (6, 3))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "t.jpg", exif=exif)
    assert read_picture(tmp_path / "t.jpg").size == (3, 6)


def test_grey_of_no_usual_range():
    values = np.array([[-2.0, 0.0, 2.0]], dtype=np.float32)
    assert np.asarray(to_rgb(Image.fromarray(values)))[0, :, 0].tolist() == [0, 128, 255]
    same = Image.fromarray(np.full((1, 2), 300.0, np.float32))
    assert np.asarray(to_rgb(same)).max() == 0
    values[0, 0] = np.nan
    with pytest.raises(ValueError, match="no numbers"):
        to_rgb(Image.fromarray(values))


@pytest.mark.parametrize("names", [("Train", "TEST"), ("training", "testing"), ("train", "dev")])
def test_parts_by_their_usual_names(pets, names):
    (pets / "train").rename(pets / names[0])
    (pets / "test").rename(pets / names[1])
    (pets / "extra" / "a").mkdir(parents=True)
    data = load(pets)
    assert (len(data.train) + len(data.val), len(data.test)) == (20, 8)
    assert "extra/ is not read" in data.notes


def test_what_is_no_file_is_named_and_not_waited_for(pets):
    os.mkfifo(pets / "train" / "cat" / "pipe.png")
    with pytest.raises(InputError, match=r"pipe\.png: neither a file nor a folder"):
        load(pets)


def test_cifar_as_published_by_path(tmp_path, monkeypatch):
    folder = tmp_path / "my-cifar"
    folder.mkdir()
    for name in ("data_batch_1", "test_batch"):
        content = {
            "data": np.arange(4 * 3072).reshape(4, -1).astype(np.uint8),
            "labels": [0, 1] * 2,
        }
        (folder / name).write_bytes(pickle.dumps(content))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": ["cat", "dog"]}))
    sums = {p.name: hashlib.md5(p.read_bytes()).hexdigest() for p in folder.iterdir()}
    monkeypatch.setattr(datasets.CIFAR10, "train_list", [["data_batch_1", sums["data_batch_1"]]])
    monkeypatch.setattr(datasets.CIFAR10, "test_list", [["test_batch", sums["test_batch"]]])
    meta = {"filename": "batches.meta", "key": "label_names", "md5": sums["batches.meta"]}
    monkeypatch.setattr(datasets.CIFAR10, "meta", meta)
    data = load_images(str(folder), PLAIN, tmp_path)
    assert (list(data.class_names), len(data.test)) == (["cat", "dog"], 4)
    (folder / "test_batch").write_bytes(pickle.dumps({"data": 1}))
    with pytest.raises(InputError, match="not as published: test_batch has another MD5"):
        load_images(str(folder), PLAIN, tmp_path)


def test_a_folder_is_one_data_set_however_it_is_named(pets, monkeypatch):
    monkeypatch.chdir(pets.parent)
    Path("link").symlink_to(pets)
    sums = {load_images(n, PLAIN, pets).checksum for n in (str(pets), "./pets", "pets/", "link")}
    assert len(sums) == 1


def test_cifar_that_is_damaged_is_not_called_missing(tmp_path):
    folder = tmp_path / "cifar10" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    (folder / "data_batch_1").write_bytes(b"other")
    with pytest.raises(InputError, match="not as published: data_batch_1 has another MD5"):
        load_images("cifar10", PLAIN, tmp_path)
