"""Versions for what a trace depends on: every change of a module or a parameter takes the next number.

`now` is the number last taken, so that a cache can see with one comparison that nothing at all has changed.
"""

from __future__ import annotations

now = 0


def tick() -> int:
    """A number never given before."""
    global now
    now += 1
    return now
