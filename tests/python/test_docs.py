"""The examples of docs/: each page runs from top to bottom and prints what it says that it prints.

A block ```python needs=<package> runs where that package is installed; the others need fastcnn alone. With
FASTCNN_DRAW_PLOTS=1 the pictures are drawn into docs/, otherwise into a folder that goes away.
"""

import contextlib
import io
import os
import re
import shutil
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(DOCS.glob("[0-9]-*.md"))
_BLOCK = re.compile(
    r"^```python(?: needs=(\w+))?\n(.*?)^```\n(?:\n```text\n(.*?)^```\n)?", re.MULTILINE | re.DOTALL
)


def blocks(page):
    """(package or None, line, code, what it prints or None)."""
    text = page.read_text(encoding="utf-8")
    return [
        (match[1], text.count("\n", 0, match.start()) + 2, match[2], match[3])
        for match in _BLOCK.finditer(text)
    ]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs the blocks of a page that need no other packages than these, in a folder of their own."""
    (tmp_path / "plots").mkdir()
    monkeypatch.chdir(tmp_path)

    def run_page(page, *packages):
        names = {"__name__": page.stem}
        for package, line, code, expected in blocks(page):
            if package is not None and package not in packages:
                continue
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * (line - 1) + code, str(page), "exec"), names)
            if expected is not None:
                assert printed.getvalue().rstrip() == expected.rstrip(), f"{page.name}, line {line}"

    return run_page


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_examples_of_a_page_run_and_print_what_it_says(page, run):
    assert blocks(page)
    run(page)


WITH_PLOTS = [page for page in PAGES if any(package == "matplotlib" for package, *_ in blocks(page))]


@pytest.mark.parametrize("page", WITH_PLOTS, ids=lambda page: page.stem)
def test_the_plots_of_a_page_are_drawn(page, run, tmp_path):
    matplotlib = pytest.importorskip("matplotlib", reason="needs matplotlib, an extra: fastcnn[docs]")
    matplotlib.use("agg")
    run(page, "matplotlib")
    shown = re.findall(r"\]\((plots/\w+\.png)\)", page.read_text(encoding="utf-8"))
    assert sorted(shown) == sorted(f"plots/{path.name}" for path in (tmp_path / "plots").iterdir())
    if os.environ.get("FASTCNN_DRAW_PLOTS") == "1":
        (DOCS / "plots").mkdir(exist_ok=True)
        for path in shown:
            shutil.copy(tmp_path / path, DOCS / path)


def test_learned_features_beat_pixels(run):
    pytest.importorskip("sklearn", reason="needs scikit-learn, an extra: fastcnn[docs]")
    run(DOCS / "7-features.md", "sklearn")


def test_every_page_is_listed_and_every_link_leads_somewhere():
    for page in DOCS.glob("*.md"):
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8")):
            assert (DOCS / target).exists(), f"{page.name}: {target}"
    listed = re.findall(r"\]\((\d-[\w-]+\.md)\)", (DOCS / "README.md").read_text(encoding="utf-8"))
    assert listed == [page.name for page in PAGES]
