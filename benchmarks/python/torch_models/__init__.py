"""The networks of fastcnn.models in PyTorch: same layers, same names of parameters and buffers."""

from torch_models.cuda_convnet import (
    cifar_18pct,
    cifar_19pct,
    cifar_80sec,
    cifar_conv_local_11pct,
    cifar_conv_local_13pct,
)
from torch_models.densenet import densenet121
from torch_models.googlenet import googlenet
from torch_models.mobilenet import mobilenet_v2
from torch_models.resnet import resnet9, resnet18, resnet20, resnet34, resnet50
from torch_models.sequential import (
    alexnet,
    alexnet_in_order,
    alexnet_one_tower,
    cifar_quick,
    lenet,
    nin,
    vgg11,
    vgg11_bn,
    vgg16,
)
from torch_models.squeezenet import squeezenet1_0, squeezenet1_1

MODELS = {
    network.__name__: network
    for network in (
        lenet,
        cifar_quick,
        cifar_80sec,
        cifar_19pct,
        cifar_18pct,
        cifar_conv_local_13pct,
        cifar_conv_local_11pct,
        nin,
        alexnet,
        alexnet_one_tower,
        vgg11,
        vgg11_bn,
        vgg16,
        googlenet,
        squeezenet1_0,
        squeezenet1_1,
        resnet9,
        resnet18,
        resnet20,
        resnet34,
        resnet50,
        densenet121,
        mobilenet_v2,
    )
}
__all__ = ["MODELS", "alexnet_in_order"]
