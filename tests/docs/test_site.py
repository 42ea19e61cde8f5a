"""The built site: no warnings, no broken link, and pages that work in a browser without a network."""

import os
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import pytest

from tests.browser import open_browser

ROOT = Path(__file__).parents[2]
pytest.importorskip("sphinx")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Builds the site as `make docs` does."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-W", "--keep-going", "-b", "html"]
    built = subprocess.run(
        [*command, "-d", target / "doctrees", ROOT / "docs", target / "html"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return target / "html"


def test_no_link_is_broken_and_nothing_comes_from_elsewhere(site):
    command = [sys.executable, ROOT / "docs" / "check_links.py", site]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize(
    "package", ["core", "nn", "detect", "data", "data.user", "train", "vision"]
)
def test_every_public_class_and_function_is_in_the_reference(site, package):
    module = import_module(f"aiec_graph.{package}")
    page = (site / "reference" / "api" / f"{package.split('.')[0]}.html").read_text("utf-8")
    for name in module.__all__:
        if callable(getattr(module, name)):
            assert f'id="aiec_graph.{package}.{name}"' in page, name


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "a.html").write_text('<a href="b.html">b</a><a href="#c">c</a><img src="http://d">')
    command = [sys.executable, ROOT / "docs" / "check_links.py", tmp_path]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 1
    assert found.stdout.splitlines() == [
        "a.html: no b.html",
        "a.html: no anchor #c",
        "a.html: loads http://d",
    ]


@pytest.mark.parametrize(("width", "height"), [(1400, 1000), (390, 844)])
def test_pages_in_a_browser(site, tmp_path, width, height):
    with open_browser(tmp_path, width, height) as browser:
        for name in ("index", "start/first-graph", "research/method", "reference/commands"):
            browser.get((site / f"{name}.html").as_uri())
            script = "return document.documentElement.scrollWidth - window.innerWidth"
            assert browser.execute_script(script) <= 0, f"{name} is wider than the window"
        browser.get((site / "search.html").as_uri() + "?q=threshold")
        script = "return [...document.querySelectorAll('#search-results a')].map(a => a.href)"
        wait_for(lambda: any("thresholds.html" in href for href in browser.execute_script(script)))
        wrong = [e for e in browser.get_log("browser") if e["level"] in ("SEVERE", "WARNING")]
        assert not wrong


def wait_for(condition):
    """Waits until a condition holds: search results come one after the other."""
    from selenium.webdriver.support.wait import WebDriverWait

    WebDriverWait(None, 20).until(lambda _: condition())
