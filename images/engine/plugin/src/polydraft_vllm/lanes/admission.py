"""The API's part: refuses a lane that can't be had with a 400, and keeps the prefix cache clean.

vLLM refuses `min_p` and `logit_bias` wherever an engine speculates; here such a request runs on the body's lane.
"""

from functools import wraps
from typing import Any

from vllm.exceptions import VLLMValidationError
from vllm.sampling_params import SamplingParams
from vllm.v1.engine.input_processor import InputProcessor

from polydraft_vllm.lanes import config, request

_engine: dict[str, config.Lanes | None] = {}
"""The lanes of this process's engine, from the moment that its input processor exists."""


def install() -> None:
    """Hook vLLM's validation; without lanes it stays what it was."""
    if getattr(InputProcessor.__init__, "hooked_by", None) == __name__:
        return
    InputProcessor.__init__ = _learning(InputProcessor.__init__)
    InputProcessor.process_inputs = _salting(InputProcessor.process_inputs)
    SamplingParams.from_optional = staticmethod(_refusing(SamplingParams.from_optional))
    SamplingParams._validate_spec_decode = _admitting(SamplingParams._validate_spec_decode)


def salt(lane: config.Lane, lanes: config.Lanes, given: str | None) -> str | None:
    """The prefix-cache salt of a request: its own, and its drafter's if that one keeps KV.

    Blocks that were filled while a drafter rested hold none of its KV. Only lanes that don't need it may find them.
    """
    if lane.drafter is None or lanes.drafters[lane.drafter]["method"] not in config.OWN_KV:
        return f"\0{given}" if given else None  # no salt of a client's can be that of a drafter
    return f"{lane.drafter}\0{given or ''}"


def _learning(stock: Any) -> Any:
    @wraps(stock)
    def init(self: Any, vllm_config: Any, *args: Any, **kwargs: Any) -> None:
        stock(self, vllm_config, *args, **kwargs)
        self.lanes = _engine["lanes"] = config.read(vllm_config.additional_config)
        self.drafters_rest = bool(getattr(vllm_config, "use_v2_model_runner", False))

    init.hooked_by = __name__  # type: ignore[attr-defined]
    return init


def _check(extra_args: Any) -> None:
    lanes = _engine.get("lanes")
    if lanes is not None and (reason := request.refusal(extra_args, lanes)):
        raise VLLMValidationError(reason, parameter="vllm_xargs")


def _refusing(stock: Any) -> Any:
    @wraps(stock)
    def from_optional(*args: Any, **kwargs: Any) -> SamplingParams:
        _check(kwargs.get("extra_args"))
        return stock(*args, **kwargs)

    return from_optional


def _admitting(stock: Any) -> Any:
    @wraps(stock)
    def validate(self: SamplingParams, *args: Any, **kwargs: Any) -> None:
        _check(self.extra_args)
        if _engine.get("lanes") is None:
            stock(self, *args, **kwargs)

    return validate


def _salting(stock: Any) -> Any:
    @wraps(stock)
    def process_inputs(self: Any, *args: Any, **kwargs: Any) -> Any:
        processed = stock(self, *args, **kwargs)
        if self.lanes is not None and self.drafters_rest:
            lane = request.choice(processed.sampling_params, self.lanes)
            processed.cache_salt = salt(lane, self.lanes, processed.cache_salt)
        return processed

    return process_inputs
