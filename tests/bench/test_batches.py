"""What a benchmark makes of --batch-size auto before it runs."""

import io

import pytest
from rich.console import Console

from aiec_graph.bench.config import BenchConfig
from aiec_graph.bench.paper import paper_figures
from aiec_graph.bench.processes import settle_batches
from aiec_graph.errors import InputError
from aiec_graph.train import TrainSettings


def settled(monkeypatch, free, **options):
    monkeypatch.setattr("aiec_graph.train.memory.available_bytes", lambda: free)
    config = BenchConfig(dataset=["tsocial"], model=["sage", "rf"], **options)
    config.check()
    stream = io.StringIO()
    specs = [*config.specs()]
    return specs, settle_batches(specs, None, 1, Console(file=stream, width=200)), stream.getvalue()


def test_full_batch_has_the_name_that_it_always_had(monkeypatch):
    before, after, said = settled(monkeypatch, 1e12)
    assert [s.config_hash for s in before] == [s.config_hash for s in after]
    assert {s.settings.batch_size for s in after[:-1]} == {"full"}
    assert said.count("tsocial: full batch takes about ") == 1 and said.count("\n") == 1


def test_batches_have_another_name_and_say_why(monkeypatch):
    before, after, said = settled(monkeypatch, 1e9)
    assert not {s.config_hash for s in before[:-1]} & {s.config_hash for s in after[:-1]}
    assert "batches of 1024, fanout 10 10" in said
    train = TrainSettings(batch_size="1024", fanout=[10, 10])
    given, same, nothing = settled(monkeypatch, 1e9, train=train)
    assert [s.config_hash for s in given] == [s.config_hash for s in same]
    assert [s.config_hash for s in after] == [s.config_hash for s in same] and nothing == ""


def test_the_papers_figures_stand_beside_full_batch_alone():
    def figures(**changes):
        config = BenchConfig(
            dataset=["tfinance"], model=["gcn"], act=["aiec"], train=TrainSettings(**changes)
        )
        return paper_figures(next(iter(config.specs())))

    assert figures() is not None and figures(batch_size="full") == figures()
    assert figures(batch_size="1024") is None


def test_a_slip_in_the_batches_is_told_before_anything_is_loaded():
    config = BenchConfig(dataset=["tsocial"], train=TrainSettings(batch_size="1024", fanout=[5]))
    with pytest.raises(InputError, match="a number for each of the 2 layers"):
        config.check()
