"""The networks with seeded weights: as a module for our export, as ONNX with a fixed batch for the peers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

F32 = NDArray[np.float32]


@dataclass(frozen=True)
class Workload:
    """A tanh network and the batches it is asked for."""

    name: str
    words: str
    sizes: tuple[int, ...]
    batches: tuple[int, ...]

    @property
    def multiply_adds(self) -> int:
        """Of one sample."""
        return sum(k * j for k, j in pairwise(self.sizes))

    def case(self, batch: int) -> str:
        """As the table says it."""
        return f"{self.words}, batch {batch}"


PINN = Workload("pinn_mlp", "MLP 3-64x4-1", (3, 64, 64, 64, 64, 1), (1, 16, 256, 4096))
SMALL = Workload("small_mlp", "MLP 2-20x4-1", (2, 20, 20, 20, 20, 1), (1,))
WORKLOADS = (PINN, SMALL)


def module(asked: Workload, seed: int) -> torch.nn.Sequential:
    """float32, weights and biases uniform in +-1/sqrt(fan-in)."""
    torch.manual_seed(seed)
    layers: list[torch.nn.Module] = []
    for k, j in pairwise(asked.sizes):
        layers += [torch.nn.Linear(k, j), torch.nn.Tanh()]
    return torch.nn.Sequential(*layers[:-1])


def onnx_file(net: torch.nn.Sequential, asked: Workload, batch: int, out: Path) -> Path:
    """Gemm and Tanh nodes, x [batch, d] -> y [batch, 1]."""
    nodes, held, at = [], [], "x"
    for i, layer in enumerate(net):
        to = "y" if i == len(net) - 1 else f"a{i}"
        if isinstance(layer, torch.nn.Linear):
            weights = {f"w{i}": layer.weight.detach().numpy().T.copy(), f"b{i}": layer.bias.detach().numpy()}
            held += [numpy_helper.from_array(value, name) for name, value in weights.items()]
            nodes.append(helper.make_node("Gemm", [at, f"w{i}", f"b{i}"], [to]))
        else:
            nodes.append(helper.make_node("Tanh", [at], [to]))
        at = to
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, asked.sizes[0]])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, asked.sizes[-1]])
    graph = helper.make_graph(nodes, asked.name, [x], [y], held)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    onnx.checker.check_model(model)
    onnx.save(model, str(out))
    return out


def samples(asked: Workload, batch: int, seed: int) -> F32:
    """Uniform in [-1, 1]: [batch, d]."""
    return np.random.default_rng(seed).uniform(-1.0, 1.0, (batch, asked.sizes[0])).astype(np.float32)


def reference(net: torch.nn.Sequential, x: F32) -> NDArray[np.float64]:
    """The network in float64, by numpy."""
    y = x.astype(np.float64)
    for layer in net:
        if isinstance(layer, torch.nn.Linear):
            y = y @ layer.weight.detach().numpy().T.astype(np.float64) + layer.bias.detach().numpy().astype(np.float64)
        else:
            y = np.tanh(y)
    return y
