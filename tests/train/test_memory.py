"""The choice between full batch and mini-batches, and the plan behind it."""

from dataclasses import replace
from math import ceil

import pytest

from aiec_graph.errors import InputError
from aiec_graph.train import TrainSettings
from aiec_graph.train import memory as forecast
from aiec_graph.train.memory import Sizes, choose_batches, full_batch_bytes, own_bytes
from aiec_graph.train.plan import Machine, describe_plan, make_plan

SIZES = Sizes(1_000_000, 10_000_000, 20)
SETTINGS = TrainSettings()


def test_auto_is_full_batch_where_it_fits(monkeypatch):
    needed = full_batch_bytes(SETTINGS, "sage", SIZES)
    monkeypatch.setattr(forecast, "available_bytes", lambda: needed / forecast.SPARE * 1.01)
    choice = choose_batches(SETTINGS, "sage", SIZES)
    assert (choice.settings.batch_size, choice.settings.fanout) == ("full", [])
    assert f"full batch takes about {needed / 1e9:.2g} GB of " in choice.reason
    # Two at a time have half each; several processes share out batches; less is too little.
    for options, free in (({"jobs": 2}, 1.01), ({"processes": 2}, 1.01), ({}, 0.99)):
        available = needed / forecast.SPARE * free
        monkeypatch.setattr(forecast, "available_bytes", lambda a=available: a)
        choice = choose_batches(SETTINGS, "sage", SIZES, **options)
        assert (choice.settings.batch_size, choice.settings.fanout) == ("1024", [10, 10])
        assert "batches of 1024, fanout 10 10" in choice.reason
    assert choose_batches(SETTINGS, "bwgnn", SIZES).settings.batch_size == "full"


def test_what_is_given_stays():
    for size in ("full", "77"):
        given = replace(SETTINGS, batch_size=size)
        assert choose_batches(given, "sage", SIZES) == (given, "")
    with pytest.raises(InputError, match="several processes share out batches"):
        choose_batches(replace(SETTINGS, batch_size="full"), "sage", SIZES, processes=2)


def test_a_limit_of_the_process_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(forecast, "_CGROUP", tmp_path)
    free = forecast.available_bytes()
    assert free > 0
    (tmp_path / "memory.current").write_text("1000000\n")
    (tmp_path / "memory.max").write_text("3000000\n")
    assert forecast.available_bytes() == 2_000_000
    (tmp_path / "memory.max").write_text("max\n")
    assert forecast.available_bytes() > 2_000_000


def test_forecasts_grow_with_each_size():
    batches = replace(SETTINGS, batch_size="1024", fanout=[10, 10])
    for name in Sizes._fields:
        larger = SIZES._replace(**{name: 2 * getattr(SIZES, name)})
        for full in (True, False):
            args = (SETTINGS, "sage") if full else (batches,)
            forecasted = full_batch_bytes if full else forecast.mini_batch_bytes
            assert forecasted(*args, larger) > forecasted(*args, SIZES)
    assert forecast.sampled_nodes(batches, SIZES, 100) == 100 * 111
    assert forecast.sampled_nodes(replace(batches, fanout=[-1, 1]), SIZES, 100) == SIZES.nodes


def test_the_plan_names_what_holds_it():
    settings = replace(SETTINGS, batch_size="1024")
    sizes = Sizes(100_000_000, 10_000_000_000, 50)
    mapped, own = forecast.mapped_bytes(sizes), own_bytes(settings, sizes)
    assert mapped == 4 * 10e9 + (24 + 4 * 50) * 100e6

    def lines(memory, **more):
        machine = Machine(memory, 32, **more)
        plan = make_plan(settings, "sage", sizes, machine)
        return plan, "\n".join(describe_plan(plan, sizes, machine))

    enough = (mapped + 3.5 * own) / 0.8e9
    plan, line = lines(enough, count=2)
    assert plan.processes == 3 and "--nnodes 2 --nproc-per-node 3" in line
    plan, line = lines((mapped + 0.9 * own) / 0.8e9)
    assert plan.processes == 0 and f"take one with {ceil((mapped + own) / 0.8e9)} GB" in line
    plan, line = lines(2 * own / 0.8e9)
    assert f"over {-(-mapped // own):.0f} of these machines" in line
    assert "holds full batch" in lines(10_000)[1]
    with pytest.raises(InputError, match="memory must be above 0"):
        lines(-1)
