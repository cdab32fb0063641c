"""The thinc shim around the torch module: serialisation and optimiser."""

import json
from typing import Any, cast

import srsly
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from thinc.api import Model, Optimizer, PyTorchShim, get_torch_default_device

from .dual_encoder import DualEncoder
from .encoders import (
    encoder_from_config,
    pad_id,
    tokenizer_from_files,
    tokenizer_to_files,
)


class DualEncoderShim(PyTorchShim):
    """Holds the module and its tokenizer once they exist.

    Like spacy-transformers' HFShim it keeps thinc's structure of nodes fixed: all that
    is made at `initialize` goes into the shim's bytes, so that a saved pipeline loads
    without a network. Weights are stored as safetensors.

    settings (Dict[str, Any]): Keyword arguments of `DualEncoder`.
    temperature_lr (float): Factor of the learning rate for the temperature.
    """

    def __init__(self, settings: dict[str, Any], temperature_lr: float) -> None:
        super().__init__(None)
        self.settings = settings
        self.temperature_lr = temperature_lr
        self.tokenizer: Any = None
        # torch's fused optimizers do not count as changes by its own account (the
        # version of a tensor), on which the cache of descriptions relies otherwise.
        self.n_changes = 0
        self._torch_optimizer: torch.optim.Optimizer | None = None

    @property
    def module(self) -> DualEncoder:
        """RETURNS (DualEncoder): The module.
        RAISES (ValueError): If there is none yet.
        """
        if self._model is None:
            raise ValueError(
                "The dual encoder has no weights yet. Train it with `spacy train`, "
                "call `nlp.initialize`, or load a trained pipeline."
            )
        return self._model

    def set_module(
        self,
        tokenizer: Any,
        instance_encoder: Any,
        predicate_encoder: Any,
        n_labels: int,
    ) -> None:
        """Build the module around loaded encoders.

        tokenizer (PreTrainedTokenizerBase): The encoders' tokenizer.
        instance_encoder (Module): The instance encoder.
        predicate_encoder (Optional[Module]): The predicate encoder, if it is another.
        n_labels (int): R + 1.
        """
        self.tokenizer = tokenizer
        self.n_changes += 1
        self._torch_optimizer = None
        self._model = DualEncoder(
            instance_encoder,
            predicate_encoder,
            n_labels,
            pad_id=pad_id(tokenizer),
            **self.settings,
        ).to(get_torch_default_device())

    def finish_update(self, optimizer: Optimizer) -> None:
        """Apply the accumulated gradients.

        Adam goes through torch's fused AdamW with the thinc optimizer's current
        hyper-parameters, which on CPU takes a tenth of the time of thinc's own. The
        gradient is clipped by the norm of all of it, and neither biases, LayerNorms nor
        the temperature are decayed, as usual for transformers. Any other optimizer is
        applied by thinc.

        optimizer (Optimizer): The thinc optimizer.
        """
        is_adam = optimizer.b1 > 0 and optimizer.b2 > 0 and not optimizer.use_radam
        if is_adam and (optimizer.L2_is_weight_decay or not optimizer.L2):
            self._step_with_torch(optimizer)
        else:
            self._step_with_thinc(optimizer)
        self.n_changes += 1

    def _step_with_thinc(self, optimizer: Optimizer) -> None:
        # thinc's optimizers take no scalars.
        scale = self.module.log_scale
        gradient, scale.grad = scale.grad, None
        scale.data = scale.data.reshape(1)
        scale.grad = None if gradient is None else gradient.reshape(1)
        super().finish_update(optimizer)
        scale.grad = None
        scale.data = scale.data.reshape(())

    def _step_with_torch(self, optimizer: Optimizer) -> None:
        if self._torch_optimizer is None:
            self._torch_optimizer = torch.optim.AdamW(self._groups(), fused=True)
        for group in self._torch_optimizer.param_groups:
            group["lr"] = float(optimizer.learn_rate) * group["lr_factor"]
            group["betas"] = (float(optimizer.b1), float(optimizer.b2))
            group["eps"] = float(optimizer.eps)
            group["weight_decay"] = float(optimizer.L2) * group["decay_factor"]
        if optimizer.grad_clip:
            torch.nn.utils.clip_grad_norm_(
                self.module.parameters(), float(optimizer.grad_clip)
            )
        self._torch_optimizer.step()
        self._torch_optimizer.zero_grad()

    def to_bytes(self) -> bytes:
        """RETURNS (bytes): Weights, configurations and tokenizer."""
        if self._model is None:
            return srsly.msgpack_dumps({})
        module = self.module
        encoders: list[Any] = [module.instance_encoder, module.predicate_encoder]
        weights = {k: v.contiguous() for k, v in module.state_dict().items()}
        return srsly.msgpack_dumps(
            {
                "encoders": [
                    None if encoder is None else json.dumps(encoder.config.to_dict())
                    for encoder in encoders
                ],
                "n_labels": module.classifier.out_features,
                "tokenizer": tokenizer_to_files(self.tokenizer),
                "weights": save_safetensors(weights),
            }
        )

    def from_bytes(self, bytes_data: bytes) -> "DualEncoderShim":
        """Load what `to_bytes` returned. Nothing is fetched.

        bytes_data (bytes): The bytes.
        RETURNS (DualEncoderShim): The shim.
        RAISES (ValueError): If the weights do not fit the configuration.
        """
        data = srsly.msgpack_loads(bytes_data)
        if not data:
            self._model = None
            return self
        configs: list[dict[str, Any] | None] = [
            None if config is None else json.loads(config)
            for config in data["encoders"]
        ]
        instance, predicate = (
            None if config is None else encoder_from_config(config)
            for config in configs
        )
        tokenizer = tokenizer_from_files(data["tokenizer"], configs[0] or {})
        assert instance is not None
        self.set_module(tokenizer, instance, predicate, data["n_labels"])
        try:
            self.module.load_state_dict(load_safetensors(data["weights"]))
        except RuntimeError as e:
            raise ValueError(
                f"The saved weights do not fit the dual encoder of this config: {e}"
            ) from e
        return self

    def _groups(self) -> list[dict[str, Any]]:
        """Parameters by how they are learned: decayed, not decayed, temperature."""
        module = self.module
        decayed: list[torch.nn.Parameter] = []
        plain: list[torch.nn.Parameter] = []
        for name, parameter in module.named_parameters():
            if name != "log_scale":
                (plain if parameter.ndim < 2 else decayed).append(parameter)
        return [
            {"params": decayed, "lr_factor": 1.0, "decay_factor": 1.0},
            {"params": plain, "lr_factor": 1.0, "decay_factor": 0.0},
            {
                "params": [module.log_scale],
                "lr_factor": self.temperature_lr,
                "decay_factor": 0.0,
            },
        ]


def get_shim(model: Model) -> DualEncoderShim:
    """Get the shim of a model that `build_dual_encoder` returned, or of its layer.

    model (Model): The model.
    RETURNS (DualEncoderShim): The shim.
    """
    layer = model.get_ref("dual_encoder") if model.layers else model
    return cast(DualEncoderShim, layer.shims[0])
