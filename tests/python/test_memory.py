"""Module.memory says what a run will take."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fastcnn
from fastcnn import models, nn
from fastcnn.engine.arguments import flatten

# AlexNet's kinds of layers, in a size that a test can afford; the parameters weigh as much as the values.
ALEXNET_LIKE = """
def build():
    return nn.Sequential(
        nn.Conv2d(3, 64, 11, stride=4), nn.ReLU(), nn.LocalResponseNorm(5), nn.MaxPool2d(3, stride=2),
        nn.Conv2d(64, 128, 5, padding=2, groups=2), nn.ReLU(), nn.MaxPool2d(3, stride=2),
        nn.Conv2d(128, 192, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, stride=2), nn.Flatten(),
        nn.Linear(192 * 36, 1024), nn.ReLU(), nn.Dropout(0.5), nn.Linear(1024, 100),
    )
"""

MEASURE = """
import json, sys
from pathlib import Path
import numpy as np
import fastcnn
from fastcnn import nn, optim

def resident(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return 1024 * int(line.split()[1])

training, batch = sys.argv[1] != "inference", 24
x = np.ones((batch, 3, 227, 227), np.float32)
y = np.zeros(batch, np.int64)
small = nn.Sequential(nn.Flatten(), nn.Linear(4, 2))  # code and threads come in before the measurement
optimizer = optim.SGD(small.parameters(), lr=0.1)
fastcnn.Trainer(small, None, optimizer).step(np.ones((2, 4)), np.zeros(2, np.int64))
before = resident("VmRSS")
model = build()
if training:
    trainer = fastcnn.Trainer(model, None, optim.SGD(model.parameters(), lr=0.01, momentum=0.9))
    for _ in range(3):
        trainer.step(x, y)
    if sys.argv[1] == "fit":
        for n in (24, 7):  # the last batch of an epoch, and those of validation
            trainer.step(x[:n], y[:n])
            trainer.evaluate([(x[:n], y[:n])])
else:
    model.eval()
    for _ in range(3):
        model(x)
grown = resident("VmHWM") - before
predicted = model.memory(x.shape, training=training, evaluation=sys.argv[1] == "fit")
print(json.dumps({"grown": grown, **predicted.to_dict()}))
"""


def measure(mode):
    package = str(Path(fastcnn.__file__).parents[1])
    paths = os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", "from fastcnn import nn\n" + ALEXNET_LIKE + MEASURE, mode],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(result.stdout)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
@pytest.mark.parametrize("mode", ["training", "inference", "fit"])
def test_prediction_is_within_5_percent_of_the_growth_of_the_process(mode):
    result = measure(mode)
    assert result["total"] == pytest.approx(result["grown"], rel=0.05), result


def test_parts_of_a_training_step():
    model = models.lenet()
    memory = model.memory(16)
    numbers = 431_080 * 4
    assert memory.parameters == memory.velocities == numbers
    assert memory.total == sum(v for k, v in memory.to_dict().items() if k != "total")
    assert model.memory(16, momentum=False).velocities == 0
    assert f"{memory.arena / 1e6:,.2f} MB" in str(memory)
    for name in ("conv1.weight", "conv1.bias"):
        dict(model.named_parameters())[name].requires_grad = False
    frozen = model.memory(16)
    assert frozen.velocities == numbers - 4 * 520
    assert frozen.parameters == numbers


def test_every_optimizer_says_what_it_keeps():
    model = models.lenet()
    numbers = 431_080 * 4
    for make, tensors in (
        (fastcnn.optim.SGD, 0),
        (fastcnn.optim.Adam, 2),
        (lambda p: fastcnn.optim.AdamW(p, amsgrad=True), 3),
        (lambda p: fastcnn.optim.RMSprop(p, momentum=0.9), 2),
        (fastcnn.optim.Adagrad, 1),
    ):
        assert model.memory(4, optimizer=make(model.parameters())).velocities == tensors * numbers


def test_evaluation_adds_the_weights_that_it_prepares():
    model = models.lenet()
    training, inference = model.memory(16), model.memory(16, training=False)
    both = model.memory(16, evaluation=True)
    assert both.arena == max(training.arena, inference.arena)
    assert both.prepared == training.prepared + inference.prepared
    assert both.total >= max(training.total, inference.total)


def test_inference_has_no_velocities_and_less_between_the_layers():
    model = models.lenet()
    memory = model.memory((16, 1, 28, 28), training=False)
    assert memory.velocities == 0
    assert memory.arena < model.memory(16).arena
    assert memory.outputs == 16 * 10 * 4
    assert model.training


def test_a_criterion_of_arrays_is_taken_into_account():
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU())
    assert model.memory((2, 1, 8, 8), criterion=nn.MSELoss()).arena > 0


class TwoHeads(nn.Module):
    """A model of labels and boxes."""

    def __init__(self):
        super().__init__()
        self.conv, self.relu, self.flatten = nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten()
        self.label, self.box = nn.Linear(8 * 36, 10), nn.Linear(8 * 36, 4)

    def forward(self, x):
        features = self.flatten(self.relu(self.conv(x)))
        return self.label(features), self.box(features)


LABELS, BOXES, UNREAD = np.zeros(5, np.int64), np.zeros((5, 4), np.float32), np.zeros((), np.float32)


@pytest.mark.parametrize(
    ("terms", "targets"),
    [
        ([nn.CrossEntropyLoss(), nn.MSELoss()], (LABELS, BOXES)),
        ([nn.CrossEntropyLoss(), (nn.MSELoss(), 1, None)], (LABELS,)),
        ([(nn.MSELoss(), 1, 0)], (BOXES,)),
        ([nn.CrossEntropyLoss(), (nn.MSELoss(), 1, 2)], (LABELS, UNREAD, BOXES)),
    ],
)
def test_several_outputs_take_what_their_training_step_takes(terms, targets):
    model, criterion = TwoHeads(), nn.TotalLoss(terms)
    x = np.ones((5, 3, 8, 8), np.float32)
    trainer = fastcnn.Trainer(model, criterion, fastcnn.optim.SGD(model.parameters(), lr=0.1))
    compiled, _ = trainer._compiled(*flatten((x, targets)))
    assert model.memory(x.shape, criterion=criterion).arena == compiled.plan.arena_bytes
    assert model.memory(x.shape, training=False).outputs == 5 * (10 + 4) * 4


def test_a_term_of_an_output_that_is_not_there_is_named():
    with pytest.raises(ValueError, match="term 2 reads output 2, there are 2"):
        TwoHeads().memory((5, 3, 8, 8), criterion=nn.TotalLoss([nn.CrossEntropyLoss(), nn.MSELoss()] * 2))


def test_a_batch_alone_is_too_little_for_a_model_that_does_not_say_its_input():
    with pytest.raises(ValueError, match="Sequential doesn't say the shape of its input"):
        nn.Sequential(nn.ReLU()).memory(4)


MANY_SHAPES = """
import json, sys
import numpy as np
import fastcnn
from fastcnn import nn, optim

def build():
    return nn.Sequential(
        nn.Conv2d(3, 32, 3, padding=1), nn.ReLU(), nn.Conv2d(32, 32, 3, padding=1), nn.ReLU(),
        nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(512, 10),
    )

def resident():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return 1024 * int(line.split()[1])

model = build()
trainer = fastcnn.Trainer(model, None, optim.SGD(model.parameters(), lr=0.01, momentum=0.9))

def visit(shape):
    x = np.zeros(shape, np.float32)
    trainer.step(x, np.zeros(len(x), np.int64))
    model.eval()(x)
    model.train()

visit((2, 3, 16, 16))
before = resident()
largest = (16, 3, 128, 128)
if sys.argv[1] == "many":
    rng = np.random.default_rng(0)
    shapes = [(int(rng.integers(1, 17)), 3, *map(int, rng.integers(16, 129, 2))) for _ in range(200)]
    for shape in [*shapes[:100], largest, *shapes[100:]]:
        visit(shape)
else:
    visit(largest)
print(resident() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs Linux's account of memory")
def test_200_shapes_take_what_the_largest_takes_alone():
    package = str(Path(fastcnn.__file__).parents[1])
    paths = os.pathsep.join([package, os.environ.get("PYTHONPATH", "")])
    grown = [
        int(
            subprocess.run(
                [sys.executable, "-c", MANY_SHAPES, which],
                env={**os.environ, "PYTHONPATH": paths},
                capture_output=True,
                text=True,
                check=True,
            ).stdout
        )
        for which in ("largest", "many")
    ]
    assert grown[0] > 50e6
    assert grown[1] <= 1.1 * grown[0], grown
