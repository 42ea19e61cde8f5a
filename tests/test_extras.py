from importlib import metadata

import pytest

from aiec_graph.cli.main import main
from aiec_graph.cli.table import COMMANDS
from aiec_graph.errors import InputError
from aiec_graph.extras import check_extra

REQUIREMENTS = ["numpy>=2", 'pytest; extra == "bench"', "no-such_lib>=1; extra == 'bench'"]


@pytest.fixture
def requirements(monkeypatch):
    monkeypatch.setattr(metadata, "requires", lambda name: [*REQUIREMENTS, "x; extra == 'other'"])


def test_what_is_missing_is_named_with_the_way_to_it(requirements):
    message = r"no-such_lib is needed here and not installed: pip install 'aiec-graph\[bench\]'"
    with pytest.raises(InputError, match=message):
        check_extra("bench")
    check_extra("vision")


def test_a_command_says_so_before_it_begins_and_its_help_is_there(requirements, capsys):
    assert main(["study", "--dataset", "nosuch"]) == 2
    assert "no-such_lib" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["study", "--help"])
    assert "--dataset" in capsys.readouterr().out


def test_the_extras_of_commands_are_extras_of_the_package():
    wanted = {extra for command in COMMANDS.values() for extra in command.extras}
    provided = metadata.metadata("aiec-graph").get_all("Provides-Extra") or []
    assert wanted - {"bench"} <= {*provided}
