"""Image data sets: what is read, and what is said when it cannot be."""

import http.server
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import datasets

from aiec_graph.errors import InputError
from aiec_graph.vision import IMAGES, VisionSettings, images, load_images

PLAIN = VisionSettings(augment="none")


def test_digits(tmp_path):
    data = load_images("digits", VisionSettings(), tmp_path)
    assert (len(data.train), len(data.val), len(data.test)) == (1293, 144, 360)
    assert (data.num_classes, data.image_size) == (10, 32)
    image, label = data.train[0]
    assert image.shape == (3, 32, 32)
    assert 0 <= label < 10
    again = load_images("digits", VisionSettings(), tmp_path)
    assert torch.equal(again.train[5][0], data.train[5][0]), "digits are not augmented"
    parts = [
        {tuple(d.images[i].ravel()) for i in rows}
        for d, rows in (
            (data.train.dataset, data.train.indices),
            (data.test, range(len(data.test))),
        )
    ]
    assert len(parts[0] & parts[1]) < 10, "scikit-learn's digits hold few copies"
    assert not set(data.train.indices) & set(data.val.data.indices)
    counts = np.bincount(data.test.labels)
    assert counts.min() > 30
    few = load_images("digits", VisionSettings(limit_train=50, image_size=16), tmp_path)
    assert (len(few.train), few.train[0][0].shape) == (50, (3, 16, 16))


def test_augmentation_is_random_and_keeps_the_size(tmp_path):
    torch.manual_seed(0)
    for size in (32, 128):
        settings = VisionSettings(augment="full", image_size=size)
        data = load_images("digits", settings, tmp_path)
        one, other = data.train[0][0], data.train[0][0]
        assert one.shape == (3, size, size)
        assert not torch.equal(one, other)
        assert torch.equal(data.test[0][0], data.test[0][0])


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for part, count in (("train", 3), ("val", 2)):
        for name in ("cat", "dog", "emu"):
            place = tmp_path / "pets" / part / name
            place.mkdir(parents=True)
            for i in range(count):
                pixels = rng.integers(0, 255, (20, 30, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(place / f"{i}.png")
    return tmp_path / "pets"


def test_a_folder(folder, tmp_path):
    data = load_images(str(folder), VisionSettings(image_size=32), tmp_path)
    assert (data.name, len(data.train), len(data.val), len(data.test)) == ("pets", 8, 1, 6)
    assert data.test[0][0].shape == (3, 32, 32)
    classes = tmp_path / "classes.txt"
    classes.write_text("emu\ncat\n")
    some = load_images(str(folder), PLAIN, tmp_path, classes=classes)
    assert (len(some.train), some.num_classes) == (5, 2)


def test_imagenet100_is_a_part_of_imagenet1k(folder, tmp_path):
    folder.rename(tmp_path / "imagenet1k")
    classes = tmp_path / "classes.txt"
    classes.write_text("dog\nemu\n")
    data = load_images("imagenet100", PLAIN, tmp_path, classes=classes)
    assert (len(data.test), data.num_classes, data.image_size) == (4, 2, 224)
    with pytest.raises(InputError, match="no --classes FILE"):
        load_images("imagenet100", PLAIN, tmp_path)


def test_folders_that_cannot_be_used(folder, tmp_path):
    classes = tmp_path / "classes.txt"
    for content, message in (("cat\ndgo\n", "Did you mean 'dog'"), ("cat\ncat\n", "each once")):
        classes.write_text(content)
        with pytest.raises(InputError, match=message):
            load_images(str(folder), PLAIN, tmp_path, classes=classes)
    with pytest.raises(InputError, match="cannot be read as a list"):
        load_images(str(folder), PLAIN, tmp_path, classes=tmp_path / "none.txt")
    (folder / "val" / "emu").rename(folder / "val" / "owl")
    with pytest.raises(InputError, match="differ in the class 'emu'"):
        load_images(str(folder), PLAIN, tmp_path)
    for path in (folder / "train" / "cat").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="cat"):
        load_images(str(folder), PLAIN, tmp_path)
    with pytest.raises(InputError, match="one class alone, pets; it must hold train/<class>/"):
        load_images(str(tmp_path), PLAIN, tmp_path)
    with pytest.raises(InputError, match="imagenet1k: there is no such folder"):
        load_images("imagenet1k", PLAIN, tmp_path)


def test_unknown_names(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'cifar10'"):
        load_images("cifar-10", PLAIN, tmp_path)


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_that_is_not_there(name, tmp_path):
    with pytest.raises(InputError, match=r"Give --download, or fetch https://.* by hand \(MD5"):
        load_images(name, PLAIN, tmp_path)


def test_cifar_from_a_server_that_lies(tmp_path, monkeypatch):
    """What is fetched and has another checksum is not used."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"not the archive")

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{server.server_port}/cifar-10-python.tar.gz"
        monkeypatch.setattr(datasets.CIFAR10, "url", url)
        with pytest.raises(InputError, match="by hand"):
            load_images("cifar10", PLAIN, tmp_path, download=True)
    finally:
        server.shutdown()
        server.server_close()


def test_every_name_is_known():
    assert set(IMAGES) == {"digits", "cifar10", "cifar100", "imagenet1k", "imagenet100"}


def test_validation_images_are_made_once_where_they_fit_in_memory(monkeypatch):
    data = load_images("digits", VisionSettings(), Path("nowhere"))
    first, label = data.val[3]
    assert data.val[3][0] is first
    expected = data.val.data[3]
    assert torch.equal(expected[0], first)
    assert expected[1] == label
    monkeypatch.setattr(images, "KEPT_BYTES", 10)
    data = load_images("digits", VisionSettings(), Path("nowhere"))
    assert data.val[3][0] is not data.val[3][0]
    assert torch.equal(data.val[3][0], first)
