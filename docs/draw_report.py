"""Draws docs/images/report.png: the top of a report on the simulated accounts of `examples/`.

Run it as `python docs/draw_report.py MODEL DATA`: MODEL is what
`aiec fit` wrote, DATA what it scores. A Chromium and its driver must be installed.
"""

import sys
import tempfile
from pathlib import Path

from selenium import webdriver

from aiec_graph.detect import FraudDetector

TARGET = Path(__file__).parent / "images" / "report.png"
WIDTH, HEIGHT = 1280, 1425


def photograph(page: Path, target: Path) -> None:
    """Takes a picture of the top of a page."""
    options = webdriver.ChromeOptions()
    for argument in ("--headless=new", "--no-sandbox", "--hide-scrollbars", "--disable-gpu"):
        options.add_argument(argument)
    options.add_argument(f"--window-size={WIDTH},{HEIGHT}")
    driver = webdriver.Chrome(options=options)
    try:
        driver.get(page.resolve().as_uri())
        driver.save_screenshot(str(target))
    finally:
        driver.quit()


def main() -> None:
    """Writes a report and its picture."""
    model, data = sys.argv[1:]
    with tempfile.TemporaryDirectory() as name:
        page = Path(name) / "report.html"
        FraudDetector.load(model).report(data, page)
        photograph(page, TARGET)


if __name__ == "__main__":
    main()
