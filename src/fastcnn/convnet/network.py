"""From the two files to a model and how it is trained."""

from __future__ import annotations

import math
import os
import warnings
from dataclasses import dataclass
from typing import Any

from fastcnn import nn, optim
from fastcnn.convnet import costs, images, neurons, norms, pools, shaping, weights
from fastcnn.convnet.cfg import Cfg, ConfigError, Section, near
from fastcnn.convnet.costs import Cost, CostBuilder
from fastcnn.convnet.layer import Builder, Built, Layer, Shape, Source
from fastcnn.convnet.model import ConvNet, Node
from fastcnn.convnet.updates import Update
from fastcnn.optim.curves import Curve, ProgressLR

LAYERS: dict[str, Builder] = {
    "blur": images.blur,
    "cmpool": pools.cmpool,
    "cmrnorm": norms.cmrnorm,
    "cnorm": norms.cnorm,
    "concat": shaping.concat,
    "conv": weights.conv,
    "crop": images.crop,
    "dropout": shaping.dropout,
    "dropout2": shaping.dropout2,
    "eltmax": shaping.eltmax,
    "eltsum": shaping.eltsum,
    "fc": weights.fc,
    "fcdropo": weights.fcdropo,
    "href": images.href,
    "local": weights.local,
    "nailbed": images.nailbed,
    "neuron": neurons.neuron,
    "pass": shaping.concat,
    "pool": pools.pool,
    "resize": images.resize,
    "rgb2lab": images.rgb2lab,
    "rgb2yuv": images.rgb2yuv,
    "rnorm": norms.rnorm,
    "sfc": weights.sfc,
    "softmax": shaping.softmax,
}
COSTS: dict[str, CostBuilder] = {
    "cost.bce": costs.bce,
    "cost.crossent": costs.crossent,
    "cost.dce": costs.bce,
    "cost.logreg": costs.logreg,
    "cost.sum2": costs.sum2,
}
TYPES = ("data", *LAYERS, *COSTS)
_REFUSED = {
    "fcdropc": "fastcnn has no DropConnect",
    "fcdropcf": "fastcnn has no DropConnect",
    "rscale": "scale images at random before they come in",
    "sum": "cuda-convnet2 parses it, but has no such layer either",
}

# What cuda-convnet's data providers for CIFAR and ImageNet give, by the number of classes.
_IMAGES: dict[int | None, tuple[int, int, int]] = {10: (3, 32, 32), 100: (3, 32, 32), 1000: (3, 224, 224)}


@dataclass(frozen=True)
class Network:
    """What the two files describe.

    Attributes:
        model: the layers, an ordinary module.
        criterion: the sum of the costs; takes the model's output and the targets.
        costs: the cost layers one by one.
        targets: dataIdx of each target of the criterion; [1] is labels.
        updates: for each parameter that this network owns, how it is trained.
        placement: for each layer that names one or inherits it, the GPUs of gpu=; a report, everything runs
            on the CPU.
    """

    model: ConvNet
    criterion: nn.TotalLoss
    costs: list[Cost]
    targets: list[int]
    updates: list[Update]
    placement: dict[str, tuple[int, ...]]

    @property
    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups for `optim.SGD`, one per parameter that is not frozen."""
        return [update.group() for update in self._trained()]

    @property
    def curves(self) -> list[Curve]:
        """By group, how the learning rate falls over training."""
        return [update.rate.curve() for update in self._trained()]

    def optimizer(self) -> optim.SGD:
        """SGD with cuda-convnet's rule: the learning rate is part of the velocity."""
        return optim.SGD(self.groups)

    def schedule(self, optimizer: optim.SGD, total_steps: int, period: int = 1) -> ProgressLR:
        """The schedules of the parameter file over a training of so many batches; see `optim.ProgressLR`."""
        return ProgressLR(optimizer, self.curves, total_steps, period)

    def _trained(self) -> list[Update]:
        return [update for update in self.updates if update.parameter.requires_grad]


def load(
    layers_path: str | os.PathLike[str],
    params_path: str | os.PathLike[str],
    input_shape: tuple[int, int, int] | None = None,
    num_classes: int | None = None,
) -> Network:
    """Reads a layer-definition file and a parameter file of cuda-convnet or cuda-convnet2.

    Args:
        input_shape: (channels, height, width) of the images, which the files don't say; left out, those of
            cuda-convnet's data: 3x32x32 for 10 or 100 classes, 3x224x224 for 1000.
        num_classes: to check the files against; left out, they decide.

    Warns:
        UserWarning: the parameter file has a section of no layer; cuda-convnet reads over it.

    Raises:
        ConfigError: what the files say doesn't fit together, is unknown or not supported; names file, line
            and section.
        OSError: a file can't be read.
    """
    return _Reader(Cfg(layers_path), Cfg(params_path), input_shape, num_classes).read()


class _Reader:
    """Goes through the sections of the layer file once."""

    def __init__(self, layers: Cfg, params: Cfg, input_shape: Shape | None, num_classes: int | None) -> None:
        self.layers = layers
        self.params = params
        self.expected_classes = num_classes
        self.num_classes = _count_classes(layers) if num_classes is None else num_classes
        self.input_shape = input_shape or _IMAGES.get(self.num_classes)
        self.sources: dict[str, Source] = {}
        self.built: dict[str, Built] = {}
        self.nodes: list[tuple[Node, nn.Module]] = []
        self.costs: list[Cost] = []
        self.placement: dict[str, tuple[int, ...]] = {}
        self.read_names: set[str] = set()

    def read(self) -> Network:
        for section in self.layers:
            self._read_section(section)
        self._check_all_used()
        self._check_params()
        data = {source.value: source.data_index for source in self.sources.values() if source.kind == "data"}
        outputs = list(dict.fromkeys(cost.prediction for cost in self.costs))
        targets = sorted({cost.target for cost in self.costs if cost.target is not None})
        read = {name for node, _ in self.nodes for name in node.inputs} | set(outputs)
        inputs = sorted((name for name in data if name in read), key=lambda name: data[name] or 0)
        assert self.input_shape is not None  # there is a cost, so there are data
        model = ConvNet(inputs, self.nodes, outputs, self.input_shape)
        return Network(
            model,
            self._criterion(outputs, targets),
            self.costs,
            targets,
            [update for built in self.built.values() for update in built.updates],
            self.placement,
        )

    def _read_section(self, section: Section) -> None:
        kind = section.text("type")
        if kind == "data":
            self._read_data(section)
            return
        if kind in _REFUSED:
            raise section.error(f"type {kind} is not supported: {_REFUSED[kind]}", "type")
        if kind not in TYPES:
            raise section.error(f"unknown layer type {kind!r}{near(kind, TYPES)}", "type")
        layer = Layer(kind, section, self.params.section(section.name), self._inputs(section), self.built)
        self._read_gpu(layer)
        if kind in COSTS:
            self._check_children(section)
            self.costs.append(COSTS[kind](layer))
            self._check_classes(layer)
            return
        built = LAYERS[kind](layer)
        self.built[layer.name] = built
        self._add_layer(layer, built)

    def _read_data(self, section: Section) -> None:
        index = section.integer("dataIdx", least=0)
        if self.input_shape is None:
            raise section.error("the files don't say the shape of the images; give input_shape")
        shapes: list[Shape] = [self.input_shape, (1,), (self.num_classes or 0,)]
        if index >= len(shapes):
            raise section.error(
                f"dataIdx is {index}, expected 0 (images), 1 (labels) or 2 (labels as rows of 0 and 1)",
                "dataIdx",
            )
        shape = shapes[index]
        first = section.integer("start", 0, least=0)
        end = section.integer("end", math.prod(shape))
        if (first, end) != (0, math.prod(shape)):
            raise section.error(f"fastcnn reads data whole, not from {first} to {end}", "start")
        self.sources[section.name] = Source(section.name, "data", shape, section.name, data_index=index)

    def _check_children(self, section: Section) -> None:
        """children= names costs that cuda-convnet2 reports with this one; each is minimised by itself."""
        above = [cost.name for cost in self.costs]
        for name in section.words("children") if section.has("children") else ():
            if name not in above:
                raise section.error(f"there is no cost layer {name!r} above{near(name, above)}", "children")

    def _check_classes(self, layer: Layer) -> None:
        """Costs that compare with labels have an output for each class."""
        of_classes = layer.kind in ("cost.logreg", "cost.crossent", "cost.dce")
        if of_classes and self.expected_classes not in (None, layer.count(1)):
            raise layer.error(
                f"{layer.inputs[1].name} is {layer.count(1)} numbers for {self.expected_classes} classes",
                "inputs",
            )

    def _inputs(self, section: Section) -> list[Source]:
        names = section.words("inputs")
        for name in names:
            if name not in self.sources:
                raise section.error(f"there is no layer {name!r} above{near(name, self.sources)}", "inputs")
        self.read_names.update(names)
        return [self.sources[name] for name in names]

    def _read_gpu(self, layer: Layer) -> None:
        """gpu= of the section, or that of its first input."""
        inherited = self.placement.get(layer.inputs[0].name)
        if layer.section.text("gpu", ""):
            count = len(layer.section.words("gpu"))
            gpus = tuple(layer.section.integers("gpu", count, least=0))
            if len(set(gpus)) < count:
                raise layer.error("gpu names a GPU twice", "gpu")
            self.placement[layer.name] = gpus
        elif inherited is not None:
            self.placement[layer.name] = inherited

    def _add_layer(self, layer: Layer, built: Built) -> None:
        """The layer, what the parameter file's dropout= puts behind it, and its neuron."""
        section = layer.section
        function = layer.kind
        below = layer.inputs[0].value
        self._add_node(section, layer.name, built, [source.value for source in layer.inputs])
        value = self._add_dropout(layer.name, layer.params, built.shape)
        if layer.kind == "neuron":
            function = section.text("neuron")
        elif section.text("neuron", ""):
            function = section.text("neuron")
            below = value
            name = f"{layer.name}_neuron"
            neuron = Built(neurons.make_neuron(section), [built.shape], built.shape)
            self._add_node(section, name, neuron, [value])
            value = self._add_dropout(name, self.params.section(name), built.shape)
        self.sources[layer.name] = Source(layer.name, layer.kind, built.shape, value, below, function)

    def _add_dropout(self, name: str, params: Section, shape: Shape) -> str:
        """The value behind dropout=, a key of any layer [dnouri/cuda-convnet's README]: zeroes with that
        probability in training, else multiplies with 1 - p."""
        p = params.real("dropout", 0.0, least=0.0)
        if p == 0:
            return name
        if p >= 1:
            raise params.error(f"dropout is {p}, expected below 1", "dropout")
        module = nn.Dropout(p, scaling="inference")
        self._add_node(params, f"{name}_dropout", Built(module, [shape], shape), [name])
        return f"{name}_dropout"

    def _add_node(self, section: Section, name: str, built: Built, inputs: list[str]) -> None:
        if any(name == node.name for node, _ in self.nodes) or hasattr(ConvNet, name) or name.startswith("_"):
            raise section.error(f"{name!r} can't be the name of a layer here")
        self.nodes.append((Node(name, inputs, built.reads, built.pads), built.module))

    def _criterion(self, outputs: list[str], targets: list[int]) -> nn.TotalLoss:
        terms = {}
        for cost in self.costs:
            target = None if cost.target is None else targets.index(cost.target)
            terms[cost.name] = (cost.loss, outputs.index(cost.prediction), target)
        return nn.TotalLoss(terms)

    def _check_all_used(self) -> None:
        for name, source in self.sources.items():
            if name not in self.read_names:
                raise self.layers.section(name).error(f"nothing reads this layer of type {source.kind}")
        if not self.costs:
            raise ConfigError(f"{self.layers.path}: there is no cost layer, of type {' or '.join(COSTS)}")

    def _check_params(self) -> None:
        names = [section.name for section in self.layers]
        names += [node.name for node, _ in self.nodes if node.name not in names]
        for section in self.params:
            if section.name not in names:
                why = f"not read, {self.layers.path} has no layer of that name{near(section.name, names)}"
                warnings.warn(str(section.error(why)), stacklevel=4)
                section.ignore_all()
        self.layers.finish()
        self.params.finish()


def _count_classes(layers: Cfg) -> int | None:
    """The outputs of the last fully connected layer, if there is one."""
    outputs = [section.integer("outputs") for section in layers if section.text("type", "") == "fc"]
    return outputs[-1] if outputs else None
