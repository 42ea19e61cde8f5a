"""Data sets that Hugging Face's library saved."""

import io
import json
import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from aiec_graph.errors import InputError
from aiec_graph.vision import VisionSettings, load_images
from aiec_graph.vision.profile import profile_pictures

PLAIN = VisionSettings(augment="none", image_size=8)
FEATURES = {
    "picture": {"_type": "Image"},
    "id": {"dtype": "int64", "_type": "Value"},
    "kind": {"names": ["cat", "dog"], "_type": "ClassLabel"},
}


def encoded(seed):
    pixels = np.random.default_rng(seed).integers(0, 255, (8, 8, 3), dtype=np.uint8)
    stream = io.BytesIO()
    Image.fromarray(pixels).save(stream, "PNG")
    return stream.getvalue()


def save(folder, labels, first=0, shards=1, features=FEATURES):
    """What `Dataset.save_to_disk` writes."""
    folder.mkdir(parents=True)
    images = [{"bytes": encoded(first + i), "path": None} for i in range(len(labels))]
    struct = pa.struct({"bytes": pa.binary(), "path": pa.string()})
    table = pa.table(
        {
            "picture": pa.array(images, struct),
            "id": np.arange(len(labels)),
            "kind": pa.array(labels, pa.int64()),
        }
    )
    names = [f"data-{i:05}-of-{shards:05}.arrow" for i in range(shards)]
    for i, name in enumerate(names):
        own = table.slice(i * len(labels) // shards, len(labels) // shards)
        with pa.OSFile(str(folder / name), "wb") as sink, pa.ipc.new_stream(sink, own.schema) as w:
            w.write_table(own)
    state = {"_data_files": [{"filename": name} for name in names]}
    (folder / "state.json").write_text(json.dumps(state))
    (folder / "dataset_info.json").write_text(json.dumps({"features": features}))


@pytest.fixture
def stored(tmp_path, monkeypatch):
    monkeypatch.setenv("AIEC_CACHE_DIR", str(tmp_path / "cache"))
    save(tmp_path / "d" / "train", [0, 1] * 8, shards=2)
    save(tmp_path / "d" / "test", [0, 1] * 3, first=100)
    (tmp_path / "d" / "dataset_dict.json").write_text('{"splits": ["train", "test", "extra"]}')
    return tmp_path / "d"


def test_splits_are_read_row_for_row(stored):
    data = load_images(str(stored), PLAIN, stored)
    assert (len(data.train), len(data.val), len(data.test)) == (14, 2, 6)
    assert list(data.class_names) == ["cat", "dog"]
    assert data.notes == ("the split extra is not read",)
    for row in (0, 5):
        image, label = data.test[row]
        wanted = data.test.transform(Image.open(io.BytesIO(encoded(100 + row))).convert("RGB"))
        assert label == row % 2 and np.array_equal(image, wanted)
    assert data.files("test")[5] == "000005"
    rows = data.train.indices
    image, _ = data.train[3]
    wanted = data.test.transform(Image.open(io.BytesIO(encoded(rows[3]))).convert("RGB"))
    assert np.array_equal(image, wanted)
    handed_over, label = pickle.loads(pickle.dumps(data.train))[3]
    assert np.array_equal(handed_over, image)


def test_without_splits_a_test_is_drawn(stored):
    data = load_images(str(stored / "train"), PLAIN, stored)
    assert len(data.test) == 3 and "no splits: 3 of 16" in data.notes[0]
    found = profile_pictures(str(stored), stored)
    assert found.report.counts == {"train": {"cat": 8, "dog": 8}, "test": {"cat": 3, "dog": 3}}


def test_a_download_with_parquet_files(stored, tmp_path):
    place = tmp_path / "hub"
    (place / "data").mkdir(parents=True)
    for split in ("train", "test"):
        files = sorted((stored / split).glob("*.arrow"))
        table = pa.concat_tables(pa.ipc.open_stream(path.read_bytes()).read_all() for path in files)
        described = json.dumps({"info": {"features": FEATURES}})
        table = table.replace_schema_metadata({"huggingface": described})
        pq.write_table(table, place / "data" / f"{split}-00000-of-00001.parquet")
    data, other = (load_images(str(one), PLAIN, place) for one in (place, stored))
    assert data.files("test") == other.files("test")
    for row in range(len(data.test)):
        assert np.array_equal(data.test[row][0], other.test[row][0])
        assert data.test[row][1] == other.test[row][1]
    bare = table.replace_schema_metadata(None)
    pq.write_table(bare, place / "data" / "train-00000-of-00001.parquet")
    with pytest.raises(InputError, match="no Parquet file of a data set of Hugging Face"):
        load_images(str(place), PLAIN, place)


def test_what_cannot_be_used(stored):
    def refused(match):
        with pytest.raises(InputError, match=match):
            load_images(str(stored), PLAIN, stored)

    save(stored / "validation", [0, -1])
    (stored / "dataset_dict.json").write_text('{"splits": ["train", "validation"]}')
    refused("row 1 has no class")
    (stored / "train" / "dataset_info.json").write_text('{"features": {"a": {"_type": "Value"}}}')
    refused(r"one column of images and one of classes .*found a \(Value\)")
    (stored / "train" / "dataset_info.json").write_text("{")
    refused("dataset_info.json: no JSON")
    (stored / "train" / "dataset_info.json").write_text(json.dumps({"features": FEATURES}))
    (stored / "train" / "data-00001-of-00002.arrow").write_bytes(b"ARROW")
    refused("its Arrow files cannot be read")
    (stored / "train" / "state.json").write_text('{"_data_files": [{"filename": "../x.arrow"}]}')
    refused("its Arrow files cannot be read")
    (stored / "dataset_dict.json").write_text('{"splits": ["all"]}')
    refused("must hold the splits train and test; found all")
