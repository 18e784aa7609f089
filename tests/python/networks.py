"""Small networks that several tests train."""

import numpy as np

from fastcnn import nn


class TwoPaths(nn.Module):
    """Every kind of layer that needs care: groups, overlap, normalisation, dropout, two paths, shared
    input."""

    def __init__(self, p=0.0):
        super().__init__()
        self.conv1 = nn.Conv2d(3, 8, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.norm1 = nn.LocalResponseNorm(3, alpha=0.1, k=2.0)
        self.pool1 = nn.MaxPool2d(3, stride=2)
        self.conv2 = nn.Conv2d(8, 8, 3, padding=1, groups=2)
        self.tanh2 = nn.Tanh(1.7159, 2 / 3)
        self.mean2 = nn.AvgPool2d(3, stride=1, padding=1)
        self.join = nn.Concat()
        self.flatten = nn.Flatten()
        self.drop = nn.Dropout(p)
        self.fc1 = nn.Linear(16 * 5 * 5, 12)
        self.sigmoid = nn.Sigmoid()
        self.fc2 = nn.Linear(12, 4)

    def forward(self, x):
        x = self.pool1(self.norm1(self.relu1(self.conv1(x))))
        left = self.tanh2(self.conv2(x))
        x = self.drop(self.flatten(self.join(left + x, self.mean2(x))))
        return self.fc2(self.sigmoid(self.fc1(x)))


def batch(samples=8, classes=4, seed=0):
    """(x, y) for TwoPaths."""
    rng = np.random.default_rng(seed)
    return rng.standard_normal((samples, 3, 11, 11), dtype=np.float32), rng.integers(0, classes, samples)
