"""Takes the pictures in docs/ of what a demo has made: `make demo`, then `python -m local.demo.screens report`."""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from local.demo.scenes import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
REPORT = ROOT / "out" / "demo" / "3.0.0.html"  # the scene whose alarm goes off


def report() -> Path:
    """The report of a release that was rolled back, as far as its first screen goes."""
    return _take(REPORT, ROOT / "docs" / "report.png", width=1120, height=1010)


def _take(page: Path, picture: Path, width: int, height: int) -> Path:
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None or not page.exists():
        sys.exit(f"{page}: run `make demo` first" if browser else f"none of {', '.join(BROWSERS)} is here")
    with tempfile.TemporaryDirectory() as profile:
        subprocess.run(
            [
                browser,
                *("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--hide-scrollbars"),
                *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
                f"--user-data-dir={profile}",
                f"--window-size={width},{height}",
                f"--screenshot={picture}",
                page.as_uri(),
            ],
            check=True,
            capture_output=True,
        )
    return picture


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local.demo.screens", description=__doc__)
    parser.add_argument("what", choices=["report"])
    parser.parse_args()
    print(report().relative_to(ROOT))


if __name__ == "__main__":
    main()
