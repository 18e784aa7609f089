"""cuda-convnet's own files: layer definitions and their parameters, as ordinary fastcnn models.

    network = fastcnn.convnet.load("layers-18pct.cfg", "layer-params-18pct.cfg")
    optimizer = network.optimizer()
    trainer = fastcnn.Trainer(network.model, network.criterion, optimizer)
    trainer.step(images, labels)

Read are the files of cuda-convnet (dnouri/cuda-convnet) and cuda-convnet2 (akrizhevsky/cuda-convnet2), whose
wiki explains their keys, with the meaning that they have there: sizes of convolutions and pools are rounded
up, windows of averages are clipped, scale= of norms is divided by the size of the window, filters= counts per
group, and so on. What the GPU code demanded beyond (numbers of filters that are multiples of 16, ...) is not
asked for. The images themselves come as those programs feed them: 0 to 255, less the mean image.

Not supported, and an error that says so: type=rscale (random scales), sum (cuda-convnet2 parses it, but has
no such layer), fcdropc and fcdropcf (DropConnect, of a branch; its fcdropo is there); initWFunc, initBFunc
and initCFunc (Python in a file); updatePeriod above 1; wcNormMin and wcNormMax; wball of local and sfc
layers; weights shared at different epsW; parts of data (start, end).
"""

from fastcnn.convnet.cfg import ConfigError
from fastcnn.convnet.costs import Cost
from fastcnn.convnet.model import ConvNet
from fastcnn.convnet.network import Network, load
from fastcnn.convnet.updates import Update

__all__ = ["ConfigError", "ConvNet", "Cost", "Network", "Update", "load"]
