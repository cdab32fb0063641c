"""The thinc shim around the torch module: what a saved pipeline holds of it."""

import json
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, cast

import srsly
import torch
from safetensors.torch import load as load_safetensors
from safetensors.torch import save as save_safetensors
from thinc.api import (
    Model,
    Optimizer,
    PyTorchShim,
    get_torch_default_device,
    torch2xp,
    xp2torch,
)
from thinc.types import FloatsXd

from ..encoding.descriptions import Descriptions
from ..encoding.wordpieces import Pairs, PairTokenizer
from ..predicates import Predicate
from .compiled import CompiledEncoders
from .description_cache import DescriptionCache
from .devices import autocast, has_bfloat16, make_budget
from .dual_encoder import DualEncoder
from .encoders import (
    encoder_from_config,
    max_input_length,
    pad_id,
    tokenizer_from_files,
    tokenizer_to_files,
)
from .optimizer import TorchAdam
from .settings import Settings


class DualEncoderShim(PyTorchShim):
    """Holds the module and its tokenizer once they exist.

    Like spacy-transformers' HFShim it keeps thinc's structure of nodes fixed: all that
    is made at `initialize` goes into the shim's bytes, so that a saved pipeline loads
    without a network. Weights are stored as safetensors.

    settings (Settings): The arguments of the architecture.

    labels (Tuple[str, ...]): The labels of the auxiliary head.
    """

    def __init__(self, settings: Settings) -> None:
        super().__init__(None)
        self.settings = settings
        self.labels: tuple[str, ...] = ()
        self.tokenizer: Any = None
        self.cache = DescriptionCache(settings.cache_size)
        # None once it is trained: a compiled encoder holds the weights that it had.
        self._compiled: CompiledEncoders | None = CompiledEncoders()
        # torch's fused optimizers do not count as changes by its own account (the
        # version of a tensor), on which the cache of descriptions relies otherwise.
        self._n_changes = 0
        self._pair_tokenizer: PairTokenizer | None = None
        self._described: tuple[tuple[Predicate, ...], Descriptions] | None = None
        self._optimizer: TorchAdam | None = None
        self._warned: set[str] = set()

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

    @property
    def version(self) -> Hashable:
        """RETURNS (Hashable): Differs whenever what a description's vector depends on
        does: the weights, where they are and their precision.
        """
        module = self.module
        in_place = sum(parameter._version for parameter in module.parameters())
        device, mixed = module.log_scale.device, self.settings.mixed_precision
        return self._n_changes, in_place, device, mixed

    def set_module(
        self,
        tokenizer: Any,
        instance_encoder: Any,
        predicate_encoder: Any,
        labels: Sequence[str],
        width: int | None = None,
    ) -> None:
        """Build the module around loaded encoders.

        tokenizer (Optional[PreTrainedTokenizerBase]): The encoders' tokenizer, if there
            is an encoder.
        instance_encoder (Optional[Module]): The instance encoder.
        predicate_encoder (Optional[Module]): The predicate encoder, if it is another.
        labels (Sequence[str]): The labels of the auxiliary head.
        width (Optional[int]): Without an instance encoder, the size of the vectors that
            instances are pooled from.
        """
        settings = self.settings
        device = get_torch_default_device()
        self.tokenizer = tokenizer
        self.labels = tuple(labels)
        self._n_changes += 1
        self._optimizer = None
        self._compiled = CompiledEncoders()
        self._described = None
        self._pair_tokenizer = None
        if tokenizer is not None:
            encoder = instance_encoder or predicate_encoder
            longest = max_input_length(encoder, tokenizer)
            self._pair_tokenizer = PairTokenizer(
                tokenizer,
                max_length=min(settings.max_length, longest),
                context_length=settings.context_length,
                read_types=settings.type_dropout < 1,
            )
        self._model = DualEncoder(
            instance_encoder,
            predicate_encoder,
            len(labels),
            width=width,
            pad_id=0 if tokenizer is None else pad_id(tokenizer),
            use_context=settings.use_context,
            temperature=settings.temperature,
            budget=make_budget(device, settings.max_tokens),
        ).to(device)

    @property
    def pair_tokenizer(self) -> PairTokenizer:
        """RETURNS (PairTokenizer): Tokenizes Docs and locates their pairs.
        RAISES (ValueError): If there is none yet.
        """
        self.module  # noqa: B018  the error if there is none
        assert self._pair_tokenizer is not None
        return self._pair_tokenizer

    def warn_if_clipped(self, pairs: Pairs) -> None:
        """Warn once of pairs that do not fit the encoder.

        pairs (Pairs): The pairs that are read.
        """
        if pairs.clipped["middle"] or pairs.clipped["span"]:
            self.warn_once(
                "Some pairs do not fit in the encoder whole, even without context: of "
                "those too far apart the text between the spans is shortened, of too "
                "long spans the ends are kept (said once). max_length is "
                f"{pairs.max_length}."
            )

    def describe(self, predicates: tuple[Predicate, ...]) -> Descriptions:
        """Tokenize the descriptions of some predicates, or find them tokenized.

        predicates (Tuple[Predicate, ...]): The predicates.
        RETURNS (Descriptions): Their descriptions.
        """
        described = self._described
        if described is None or described[0] != predicates:
            fill_spans = self.settings.fill_spans
            descriptions = Descriptions(
                self.pair_tokenizer, predicates, fill_spans=fill_spans
            )
            described = self._described = predicates, descriptions
        return described[1]

    def precision(self) -> AbstractContextManager:
        """RETURNS (ContextManager): In which the encoders have the precision that the
        settings ask for.
        """
        device = self.module.log_scale.device
        if not self.settings.mixed_precision:
            return nullcontext()
        if not has_bfloat16(device):
            self.warn_once(
                f"No bfloat16 on this {device}: mixed_precision has no effect."
            )
            return nullcontext()
        return autocast(device)

    def compiled(self) -> CompiledEncoders | None:
        """RETURNS (Optional[CompiledEncoders]): What calls the encoders in prediction,
        if the settings ask for it and it can.
        """
        if not self.settings.compile or self._compiled is None:
            return None
        device = self.module.log_scale.device
        if device.type != "cpu":
            self.warn_once(f"compile is for a CPU: on this {device} it has no effect.")
            return None
        return self._compiled if self._compiled.can_call(self.version) else None

    def with_settings(self, settings: Settings) -> "DualEncoderShim":
        """Make a shim that shares the module and the tokenizer.

        settings (Settings): Its settings. Those that shape the module are not looked
            at.
        RETURNS (DualEncoderShim): The shim, with a cache of its own.
        """
        shim = DualEncoderShim(settings)
        shim._model, shim.tokenizer = self._model, self.tokenizer
        shim.labels, shim._pair_tokenizer = self.labels, self._pair_tokenizer
        return shim

    def finish_update(self, optimizer: Optimizer) -> None:
        """Apply the accumulated gradients.

        optimizer (Optimizer): The thinc optimizer. Adam goes through torch's own (see
            `TorchAdam`); any other is applied by thinc, slowly.
        """
        if TorchAdam.can_stand_for(optimizer):
            if self._optimizer is None:
                temperature_lr = self.settings.temperature_lr
                self._optimizer = TorchAdam(self.module, temperature_lr)
            self._optimizer.step(optimizer)
            if optimizer.averages is not None:
                for name, average in self._optimizer.average().items():
                    optimizer.averages[self.id, name] = cast(
                        FloatsXd, torch2xp(average)
                    )
        else:
            self._step_with_thinc(optimizer)
        self._n_changes += 1
        self._compiled = None

    @contextmanager
    def use_params(self, params: Mapping[Any, Any]) -> Iterator[None]:
        """Have other weights for a while: those of `optimizer.averages`, with which
        `spacy train` evaluates and saves where `use_averages` is set. thinc's own shim
        looks for them by other keys than its optimizers give them.

        params (Mapping[Tuple[int, str], FloatsXd]): Weights by the shim's id and the
            name of a parameter. The others stay as they are.
        YIELDS (None): Once.
        """
        parameters = () if self._model is None else self.module.named_parameters()
        own = {k: v.detach().clone() for k, v in parameters if (self.id, k) in params}
        if not own:
            yield
            return
        given = {name: xp2torch(params[self.id, name]) for name in own}
        self.module.load_state_dict(given, strict=False)
        try:
            yield
        finally:
            self.module.load_state_dict(own, strict=False)

    def _step_with_thinc(self, optimizer: Optimizer) -> None:
        # thinc's optimizers take no scalars.
        scale = self.module.log_scale
        gradient, scale.grad = scale.grad, None
        scale.data = scale.data.reshape(1)
        scale.grad = None if gradient is None else gradient.reshape(1)
        super().finish_update(optimizer)
        scale.grad = None
        scale.data = scale.data.reshape(())

    def to_bytes(self) -> bytes:
        """RETURNS (bytes): Weights, labels, configurations and tokenizer."""
        if self._model is None:
            return srsly.msgpack_dumps({})
        module = self.module
        encoders: list[Any] = [module.instance_encoder, module.predicate_encoder]
        files = None if self.tokenizer is None else tokenizer_to_files(self.tokenizer)
        weights = {k: v.contiguous() for k, v in module.state_dict().items()}
        return srsly.msgpack_dumps(
            {
                "encoders": [
                    None if encoder is None else json.dumps(encoder.config.to_dict())
                    for encoder in encoders
                ],
                "labels": list(self.labels),
                "tokenizer": files,
                "width": module.width,
                "weights": save_safetensors(weights),
            }
        )

    def from_bytes(self, bytes_data: bytes) -> "DualEncoderShim":
        """Load what `to_bytes` returned. Nothing is fetched.

        bytes_data (bytes): The bytes.
        RETURNS (DualEncoderShim): The shim.
        RAISES (ValueError): If the weights do not fit the configuration, or are no
            finite numbers.
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
        tokenizer = None
        if data["tokenizer"] is not None:
            config = configs[0] or configs[1] or {}
            tokenizer = tokenizer_from_files(data["tokenizer"], config)
        # Pipelines that were saved before there was a width have none.
        width = data.get("width")
        self.set_module(tokenizer, instance, predicate, data["labels"], width)
        try:
            self.module.load_state_dict(load_safetensors(data["weights"]))
        except RuntimeError as e:
            raise ValueError(
                f"The saved weights do not fit the dual encoder of this config: {e}"
            ) from e
        self.refuse_infinite_weights()
        return self

    def refuse_infinite_weights(self) -> None:
        """Refuse weights of which all scores could be NaN, and so without a relation.

        RAISES (ValueError): If a weight is not finite.
        """
        for name, parameter in self.module.named_parameters():
            wrong = int((~torch.isfinite(parameter)).sum())
            if wrong:
                raise ValueError(
                    f"{wrong} of the {parameter.numel()} weights in {name} are NaN or "
                    "infinite. If they were saved so, training diverged: train again "
                    "with a lower learning rate"
                )

    def warn_once(self, message: str) -> None:
        """Warn, unless it was said before.

        message (str): The warning.
        """
        if message not in self._warned:
            self._warned.add(message)
            warnings.warn(message)


def get_shim(model: Model) -> DualEncoderShim:
    """Get the shim of a model.

    model (Model): A model that `build_dual_encoder` returned.
    RETURNS (DualEncoderShim): Its shim.
    RAISES (ValueError): If the model is of another architecture.
    """
    shim = model.shims[0] if model.shims else None
    if not isinstance(shim, DualEncoderShim):
        raise ValueError(
            "This can only be done with the architecture spacy-dualre.DualEncoder.v1, "
            f"but the component's model is another one, '{model.name}'."
        )
    return shim
