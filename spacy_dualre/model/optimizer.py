"""The optimizer: torch's own AdamW with the hyper-parameters of a thinc optimizer.

thinc's Adam takes ten times as long on a CPU, and knows no groups of parameters.
"""

from typing import Any

import torch
from thinc.api import Optimizer
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

from .dual_encoder import DualEncoder

# Of moving averages, as in thinc.
MAX_DECAY = 0.9999


class TorchAdam:
    """Takes the steps of a thinc Adam with torch.

    The gradient is clipped by the norm of all of it, and neither biases, LayerNorms nor
    the temperature are decayed, as usual for transformers.

    module (DualEncoder): What is trained.
    temperature_lr (float): Factor of the learning rate for the temperature.
    """

    def __init__(self, module: DualEncoder, temperature_lr: float) -> None:
        self.module = module
        groups = _groups(module, temperature_lr)
        self._optimizer = torch.optim.AdamW(groups, fused=True)
        self._averages: dict[str, Tensor] = {}
        self._n_averaged = 0

    @staticmethod
    def can_stand_for(optimizer: Optimizer) -> bool:
        """Whether it takes the steps that a thinc optimizer would.

        optimizer (Optimizer): The thinc optimizer.
        RETURNS (bool): True for Adam with weight decay, or without L2.
        """
        is_adam = optimizer.b1 > 0 and optimizer.b2 > 0 and not optimizer.use_radam
        return bool(is_adam and (optimizer.L2_is_weight_decay or not optimizer.L2))

    def step(self, optimizer: Optimizer) -> None:
        """Apply the accumulated gradients.

        optimizer (Optimizer): The thinc optimizer, for its current hyper-parameters.
        """
        for group in self._optimizer.param_groups:
            group["lr"] = float(optimizer.learn_rate) * group["lr_factor"]
            group["betas"] = (float(optimizer.b1), float(optimizer.b2))
            group["eps"] = float(optimizer.eps)
            group["weight_decay"] = float(optimizer.L2) * group["decay_factor"]
        if optimizer.grad_clip:
            torch.nn.utils.clip_grad_norm_(
                self.module.parameters(), float(optimizer.grad_clip)
            )
        self._optimizer.step()
        self._optimizer.zero_grad()

    def average(self) -> dict[str, Tensor]:
        """Take the weights of this step into their moving averages, with thinc's decay,
        which makes about the last quarter of all steps count.

        RETURNS (Dict[str, Tensor]): The average of each parameter, by its name. Later
            calls change the same tensors.
        """
        weights = {k: v.detach() for k, v in self.module.named_parameters()}
        if not self._averages:
            self._averages = {name: weight.clone() for name, weight in weights.items()}
        self._n_averaged += 1
        decay = min((1 + self._n_averaged) / (10 + self._n_averaged), MAX_DECAY)
        update = get_ema_multi_avg_fn(decay)
        update(list(self._averages.values()), list(weights.values()), None)
        return self._averages


def _groups(module: DualEncoder, temperature_lr: float) -> list[dict[str, Any]]:
    """Parameters by how they are learned: decayed, not decayed, temperature."""
    decayed: list[torch.nn.Parameter] = []
    plain: list[torch.nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if name != "log_scale":
            (plain if parameter.ndim < 2 else decayed).append(parameter)
    temperature = [module.log_scale]
    return [
        {"params": decayed, "lr_factor": 1.0, "decay_factor": 1.0},
        {"params": plain, "lr_factor": 1.0, "decay_factor": 0.0},
        {"params": temperature, "lr_factor": temperature_lr, "decay_factor": 0.0},
    ]
