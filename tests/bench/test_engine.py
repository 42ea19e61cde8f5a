"""The engine with a kind of run that takes no time, and executors that fail as asked."""

import io
import pickle
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from aiec_graph.bench import executors, ray_executor
from aiec_graph.bench.config import BenchConfig
from aiec_graph.bench.engine import Outcome, Run, execute
from aiec_graph.bench.executors import choose_executor, in_this_process
from aiec_graph.bench.store import RunStore
from aiec_graph.data import load_dataset
from aiec_graph.errors import InputError
from aiec_graph.train import DivergedError, prepare_graph


class Square(NamedTuple):
    number: int
    dataset: str = "numbers"

    @property
    def config_hash(self):
        return f"n{self.number}"


@dataclass(frozen=True)
class Squares:
    folder: Path
    name: str = "squares-1"
    threads = 1
    columns = ("number", "seed", "square")
    metrics = ("square",)
    libraries = ("torch",)

    def checksum(self, spec):
        return "abc"

    def has_files(self, run):
        return True

    def data_key(self, spec):
        return spec.dataset

    def load(self, spec):
        return np.arange(10.0)

    def make(self, run, data):
        if run.spec.number == 7:
            raise DivergedError("seven is not for us")
        square = data[run.spec.number] ** 2
        own = {"number": run.spec.number, "seed": run.seed, "square": square}
        return own | {"data_checksum": "abc"}


def go(folder, numbers, executor=in_this_process, seen=None):
    text = io.StringIO()
    kind = Squares(folder)
    with RunStore(folder, kind) as store:
        runs = [Run(Square(number), seed) for number in numbers for seed in (1, 2)]
        note = None if seen is None else lambda run, _: seen.append(run.key)
        diverged = execute(kind, runs, store, Console(file=text), executor, note=note)
    return diverged, text.getvalue(), pd.read_csv(folder / "runs.csv")


def losing(*lost):
    """An executor whose machine is lost with some of the numbers."""

    def executor(kind, runs):
        for outcome in in_this_process(kind, runs):
            if outcome.run.spec.number in lost:
                yield Outcome(outcome.run, reason="the worker died", node="", attempt=4)
            else:
                yield outcome

    return executor


def test_rows_and_the_journal(tmp_path):
    seen = []
    diverged, said, rows = go(tmp_path, [3, 7, 4], seen=seen)
    assert diverged == {"n7": "seven is not for us"}
    assert rows["square"].tolist() == [9, 9, 16, 16]
    assert seen == [("n3", 1), ("n3", 2), ("n4", 1), ("n4", 2)]
    assert "diverged: seven is not for us" in said
    journal = pd.read_csv(tmp_path / "journal.csv")
    assert journal["state"].tolist() == ["finished"] * 2 + ["diverged"] * 2 + ["finished"] * 2
    assert journal["config_hash"].tolist() == ["n3", "n3", "n7", "n7", "n4", "n4"]
    assert set(journal["attempt"]) == {1}
    assert not journal["node"].isna().any()


def test_lost_runs_are_recorded_the_others_made_and_they_tried_again(tmp_path):
    with pytest.raises(InputError, match=r"2 runs failed \(the worker died\).*journal.csv has"):
        go(tmp_path, [3, 5, 4], losing(5))
    assert pd.read_csv(tmp_path / "runs.csv")["number"].tolist() == [3, 3, 4, 4]
    _, said, rows = go(tmp_path, [3, 5, 4])
    assert "6 runs, 4 of them finished before" in said
    assert rows["number"].tolist() == [3, 3, 4, 4, 5, 5]
    journal = pd.read_csv(tmp_path / "journal.csv")
    of_five = journal[journal["config_hash"] == "n5"]
    assert of_five["state"].tolist() == ["failed", "failed", "finished", "finished"]
    assert of_five["attempt"].tolist() == [4, 4, 1, 1]
    assert of_five["reason"].tolist()[:2] == ["the worker died"] * 2


def test_an_executor_is_closed_where_a_row_cannot_be_written(tmp_path, monkeypatch):
    ended = []

    def executor(kind, runs):
        try:
            yield from in_this_process(kind, runs)
        finally:
            ended.append(True)

    def full(store, row):
        raise InputError("the disk is full")

    monkeypatch.setattr(RunStore, "append", full)
    with pytest.raises(InputError, match="the disk is full"):
        go(tmp_path, [3], executor)
    assert ended


def test_a_torn_line_of_the_journal_is_dropped(tmp_path):
    go(tmp_path, [3])
    path = tmp_path / "journal.csv"
    whole = path.read_bytes()
    path.write_bytes(whole + b"2026-01-01T00:00:00+00:00,n9,1,fini")
    go(tmp_path, [3, 4])
    assert path.read_bytes().startswith(whole)
    assert pd.read_csv(path)["config_hash"].tolist() == ["n3", "n3", "n4", "n4"]


def test_without_ray_the_cores_are_used_and_it_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(executors, "find_spec", lambda name: None)
    text = io.StringIO()
    with choose_executor(1, "10.0.0.1:6379", Console(file=text, width=200)) as executor:
        assert executor is in_this_process
    assert "pip install 'aiec-graph[ray]'" in text.getvalue()
    assert "the runs use the cores of this machine" in text.getvalue()


def test_one_ray_serves_all_parts_of_a_command(monkeypatch):
    """It is started for the first run that is not finished, and ends with the command."""
    pytest.importorskip("ray")
    seen = []

    @contextmanager
    def connected(*_):
        seen.append("started")
        yield "ray"
        seen.append("ended")

    monkeypatch.setattr(ray_executor, "_connected", connected)
    monkeypatch.setattr(ray_executor, "_make_all", lambda ray, kind, runs: iter(runs))
    with choose_executor(1, "local", Console(quiet=True)) as executor:
        assert list(executor(None, [])) == seen == []
        assert [*executor(None, ["a"]), *executor(None, ["b", "c"])] == ["a", "b", "c"]
        assert seen == ["started"]
    assert seen == ["started", "ended"]


def test_jobs_are_not_for_a_cluster():
    pytest.importorskip("ray")
    with pytest.raises(InputError, match="leave --jobs out"):
        choose_executor(2, "10.0.0.1:6379", Console(quiet=True))


@pytest.mark.parametrize(
    ("jobs", "address", "count"),
    [(None, None, 1), (None, "local", 0), (3, "local", 3), (3, None, 3), (0, None, 0)],
)
def test_the_jobs_of_the_benchmark(jobs, address, count):
    assert BenchConfig(jobs=jobs, ray_address=address).jobs_at_a_time == count


def test_a_prepared_graph_passes_without_a_copy(tmp_path):
    load_dataset("reddit", tmp_path, 0.05)  # writes its cache, from which it is mapped
    prepared = prepare_graph(load_dataset("reddit", tmp_path, 0.05))
    assert prepared.adjacency.num_nodes == prepared.graph.edges.num_nodes
    parts = []
    content = pickle.dumps(prepared, 5, buffer_callback=parts.append)
    again = pickle.loads(content, buffers=[bytes(part) for part in parts])
    graph, csr = again.graph, again.adjacency.csr
    for array in (graph.y, graph.edges.indices, csr.indices, csr.indptr, csr.data):
        assert not array.flags.owndata
        assert not array.flags.writeable
    assert (csr != prepared.adjacency.csr).nnz == 0
