"""An HTML page that needs nothing beside it: no network, no scripts, pictures in it as data URIs."""

from __future__ import annotations

import base64
import html
import io
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

_STYLE = """
:root { color-scheme: light dark; --ground: #ffffff; --text: #1f2328; --pale: #59636e; --line: #d1d9e0; }
@media (prefers-color-scheme: dark) {
  :root { --ground: #0d1117; --text: #e6edf3; --pale: #9198a1; --line: #3d444d; }
}
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 70rem; padding: 1.5rem; background: var(--ground); color: var(--text);
  font: 1rem/1.5 system-ui, sans-serif; }
h1 { font-size: 1.6rem; line-height: 1.25; margin: 0 0 .5rem; }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem; padding-bottom: .25rem;
  border-bottom: 1px solid var(--line); }
p { margin: .5rem 0; }
dl { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1rem 0; }
dt { color: var(--pale); font-size: .875rem; }
dd { margin: 0; font-size: 1.3rem; font-variant-numeric: tabular-nums; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .84rem; font-variant-numeric: tabular-nums; }
th, td { padding: .25rem .6rem .25rem 0; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; white-space: nowrap; }
th { color: var(--pale); font-weight: 600; }
.number { text-align: right; }
summary { color: var(--pale); font-size: .875rem; margin: .5rem 0; cursor: pointer; }
figure { margin: 1rem 0; }
figcaption { color: var(--pale); font-size: .875rem; }
.plot { display: block; max-width: 100%; height: auto; background: #ffffff; border-radius: .5rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(8rem, 1fr)); gap: 1rem; }
.grid figure { margin: 0; }
.grid img { display: block; width: 100%; height: auto; border-radius: .25rem; image-rendering: pixelated; }
"""
_DOTS_PER_INCH = 144


def page(title: str, *parts: str) -> str:
    """The whole document."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<h1>{html.escape(title)}</h1>\n" + "\n".join(parts) + "\n</body>\n</html>\n"
    )


def section(title: str, *parts: str) -> str:
    """A heading and what comes under it."""
    return f"<section>\n<h2>{html.escape(title)}</h2>\n" + "\n".join(parts) + "\n</section>"


def paragraph(text: str) -> str:
    return f"<p>{html.escape(text)}</p>"


def key_values(values: Iterable[tuple[str, str]]) -> str:
    """What matters most, in large type: what each is, and the number."""
    items = (f"<div><dt>{html.escape(name)}</dt><dd>{html.escape(text)}</dd></div>" for name, text in values)
    return f"<dl>{''.join(items)}</dl>"


def folded(title: str, content: str, unfolded: bool) -> str:
    """What a click on the title shows and hides."""
    tag = "<details open>" if unfolded else "<details>"
    return f"{tag}<summary>{html.escape(title)}</summary>\n{content}\n</details>"


def table(header: Sequence[str], rows: Iterable[Sequence[str]], numbers: Sequence[int] = ()) -> str:
    """A table; the columns `numbers` are set flush right."""

    def cells(row: Sequence[str], tag: str) -> str:
        return "".join(
            f"<{tag}{' class=number' if i in numbers else ''}>{html.escape(text)}</{tag}>"
            for i, text in enumerate(row)
        )

    head = f"<thead><tr>{cells(header, 'th')}</tr></thead>"
    body = "".join(f"<tr>{cells(row, 'td')}</tr>\n" for row in rows)
    return f'<div class="wide" tabindex="0"><table>{head}\n<tbody>\n{body}</tbody></table></div>'


def plot(figure: Any, description: str) -> str:
    """A figure of matplotlib as a picture of its own size."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=_DOTS_PER_INCH)
    width = round(96 * figure.get_figwidth())  # a CSS inch has 96 pixels
    return (
        f'<figure><img class="plot" width="{width}" src="{_data_uri(file.getvalue())}" '
        f'alt="{html.escape(description)}"></figure>'
    )


def picture_grid(pictures: Iterable[tuple[np.ndarray[Any, Any], str]]) -> str:
    """Images, uint8 (h, w) or (h, w, 3), each with the text below it."""
    from PIL import Image  # there, since matplotlib needs it

    tiles = []
    for pixels, text in pictures:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, format="png")
        escaped = html.escape(text)
        tiles.append(
            f'<figure><img src="{_data_uri(file.getvalue())}" alt="{escaped}">'
            f"<figcaption>{escaped}</figcaption></figure>"
        )
    return f'<div class="grid">{"".join(tiles)}</div>'


def _data_uri(png: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
