"""Figures of training and of trained networks, drawn with matplotlib (the extra `plots`).

Each function takes arrays and returns a `matplotlib.figure.Figure`: save it with `savefig`, or after
`%matplotlib inline` show it in a notebook by its name alone. `figure=` draws into one that exists, such as
`pyplot.figure()`. Colours are told
apart by people who are colour-blind, too.
"""

from fastcnn.figures.answers import confusion, errors, predictions, worst_mistakes
from fastcnn.figures.curves import curves
from fastcnn.figures.layers import filters, maps

__all__ = ["confusion", "curves", "errors", "filters", "maps", "predictions", "worst_mistakes"]
