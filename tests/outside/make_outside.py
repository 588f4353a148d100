#!/usr/bin/env python3
"""Writes tests/outside/*.safetensors: weights, inputs and results of models that others wrote.

    make_outside.py [NAME...]   write all fixtures anew, or the named ones
    make_outside.py --check     compute the results from the committed weights and compare

NAME.safetensors holds the weights under the names and in the layouts of the outside implementation, and nothing
else: what one of its checkpoints would hold. NAME.cases.safetensors holds for sequences of T steps the tensors that
`seqc eval` reads and writes, as `T.x`, `T.y` and, where inputs are vectors, `T.cotangent.y` and `T.grad.x`.
README.md beside this file says what each model is.
"""

import pathlib
import sys
import zlib

import torch
import transformers
from safetensors.torch import load_file, save_file
from torch.utils._python_dispatch import TorchDispatchMode
from transformers.models.mamba.modeling_mamba import MambaMixer
from transformers.models.mamba2.modeling_mamba2 import Mamba2Mixer
from transformers.models.qwen3_next.modeling_qwen3_next import Qwen3NextGatedDeltaNet
from transformers.models.recurrent_gemma.modeling_recurrent_gemma import RecurrentGemmaRglru

FOLDER = pathlib.Path(__file__).parent
transformers.logging.set_verbosity_error()

LENGTHS = (1, 7, 40)
BATCH = 2
VOCAB = 50
# Results may differ between machines by rounding only.
TOLERANCE = 1e-5


class Language:
    """A causal language model of the `transformers` package: tokens to logits."""

    output = "logits"

    def __init__(self, kind, **config):
        self.module = kind(configured(kind.config_class, vocab_size=VOCAB, **config))

    def inputs(self, length, generator):
        return {"tokens": torch.randint(VOCAB, (BATCH, length), generator=generator)}

    def run(self, tokens):
        return self.module(tokens, use_cache=False).logits


class Layer:
    """A layer: sequences of vectors of one width to sequences of vectors. `call` runs it, if not as usual."""

    output = "y"

    def __init__(self, module, width, call=lambda module, x: module(x)):
        self.module, self.width, self.call = module, width, call

    def inputs(self, length, generator):
        return {"x": torch.randn(BATCH, length, self.width, generator=generator)}

    def run(self, x):
        return self.call(self.module, x)


class Cross(Layer):
    """A layer that reads another sequence too, which is 2 steps longer."""

    def inputs(self, length, generator):
        mem = torch.randn(BATCH, length + 2, self.width, generator=generator)
        return super().inputs(length, generator) | {"mem": mem}

    def run(self, x, mem):
        return self.call(self.module, x, mem)


def configured(kind, **config):
    """A configuration that runs without the optional kernels and without caches."""
    config = kind(use_cache=False, pad_token_id=None, **config)
    config._attn_implementation = "eager"
    config._experts_implementation = "eager"
    return config


def llama():
    return Language(
        transformers.LlamaForCausalLM,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
    )


def mamba():
    return Language(transformers.MambaForCausalLM, hidden_size=32, state_size=8, num_hidden_layers=2)


def mamba2():
    return Language(
        transformers.Mamba2ForCausalLM,
        hidden_size=32,
        state_size=8,
        num_hidden_layers=2,
        num_heads=8,
        head_dim=8,
        n_groups=2,
        chunk_size=16,
    )


def qwen3_next():
    return Language(
        transformers.Qwen3NextForCausalLM,
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=2,
        layer_types=["linear_attention", "full_attention"],
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        linear_num_key_heads=2,
        linear_num_value_heads=4,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        mlp_only_layers=[0],
        num_experts=4,
        num_experts_per_tok=2,
        moe_intermediate_size=16,
        shared_expert_intermediate_size=16,
    )


def kimi_linear():
    return Language(
        transformers.KimiLinearForCausalLM,
        hidden_size=32,
        intermediate_size=40,
        num_hidden_layers=2,
        layer_types=["linear_attention", "full_attention"],
        mlp_layer_types=["dense", "dense"],
        num_attention_heads=4,
        num_key_value_heads=4,
        kv_lora_rank=16,
        qk_nope_head_dim=8,
        qk_rope_head_dim=4,
        v_head_dim=8,
        linear_num_heads=2,
        linear_head_dim=8,
    )


def xlstm():
    return Language(
        transformers.xLSTMForCausalLM,
        hidden_size=32,
        num_hidden_layers=2,
        num_heads=2,
        ffn_round_up_to_multiple_of=8,
        chunk_size=16,
        autocast_kernel_dtype="float32",
    )


def recurrent_gemma():
    # 36 is a square: the package rounds the root of the width to bfloat16.
    return Language(
        transformers.RecurrentGemmaForCausalLM,
        hidden_size=36,
        intermediate_size=96,
        num_hidden_layers=3,
        num_attention_heads=3,
        num_key_value_heads=1,
        attention_window_size=8,
    )


def lstm():
    return recurrent(torch.nn.LSTM(12, 12, num_layers=2, batch_first=True), 12)


def gru():
    return recurrent(torch.nn.GRU(10, 16, num_layers=2, batch_first=True), 10)


def recurrent(module, width):
    return Layer(module, width, lambda module, x: module(x)[0])


# What follows is an outside layer for each of seven of the library's mixers, with what those do not have left out.


def library_s6():
    config = configured(transformers.MambaConfig, hidden_size=32, state_size=8, use_conv_bias=False)
    return Layer(MambaMixer(config, 0), 32)


def library_ssd():
    config = configured(
        transformers.Mamba2Config,
        hidden_size=32,
        state_size=8,
        num_heads=8,
        head_dim=8,
        n_groups=1,
        chunk_size=16,
        use_conv_bias=False,
        layer_norm_epsilon=1e-6,
    )
    return Layer(Mamba2Mixer(config, 0), 32)


def library_delta():
    # The package divides queries by the root of 8, the library does not: its norm of the result undoes that but for
    # what the norm adds under its root.
    config = configured(
        transformers.Qwen3NextConfig,
        hidden_size=32,
        linear_num_key_heads=2,
        linear_num_value_heads=2,
        linear_key_head_dim=8,
        linear_value_head_dim=8,
        rms_norm_eps=1e-6 / 8,
    )
    return Layer(Qwen3NextGatedDeltaNet(config, 0), 32)


def library_lru():
    # One block is a dense gate. Positions start at 1, since the package takes the input of position 0 whole.
    config = configured(transformers.RecurrentGemmaConfig, hidden_size=24, lru_width=24, num_attention_heads=1)

    def call(module, x):
        module.recurrent_states = None
        return module(x, torch.arange(1, x.shape[1] + 1).expand(x.shape[:2]))

    return Layer(RecurrentGemmaRglru(config), 24, call)


def library_unit():
    return recurrent(torch.nn.GRU(12, 12, bias=False, batch_first=True), 12)


def library_ways():
    module = torch.nn.LSTM(12, 12, bidirectional=True, batch_first=True)
    return Layer(module, 12, lambda module, x: module(x)[0].unflatten(-1, (2, 12)))


def library_cross():
    module = torch.nn.MultiheadAttention(32, 4, bias=False, batch_first=True)
    return Cross(module, 32, lambda module, x, mem: module(x, mem, mem, need_weights=False)[0])


MODELS = {
    f.__name__: f
    for f in (llama, mamba, mamba2, qwen3_next, kimi_linear, recurrent_gemma, xlstm, lstm, gru)
    + (library_s6, library_ssd, library_delta, library_lru, library_unit, library_ways, library_cross)
}


def draw(name, old, generator):
    """A weight of ordinary size: no norm is 1, no bias is 0, and what is kept lasts for many steps."""
    noise = torch.randn(old.shape, generator=generator)
    if name.endswith(("norm.weight", "norm_f.weight")):
        # Most norms hold their factor; where one holds the factor less 1, this is as good.
        return 1 + 0.2 * noise
    if name.endswith(("dt_bias", "dt_proj.bias", "recurrent_param")):
        return noise - 3
    if old.dim() < 2:
        return 0.5 * noise
    # A convolution's weight is [channels, 1, taps], an expert's [experts, to, from], any other [to, from].
    return noise / old.shape[-1] ** 0.5


def draw_all(model, generator):
    with torch.no_grad():
        for name, weight in model.module.named_parameters():
            weight.copy_(draw(name, weight, generator))


def weights_of(model):
    """The state as a checkpoint holds it: tied weights once, under the name they were made by."""
    return {name: weight.detach().clone() for name, weight in model.module.named_parameters()}


class Double(TorchDispatchMode):
    """What asks for single precision on the way (norms, states, softmax) gets double."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        if kwargs.get("dtype") is torch.float32:
            kwargs["dtype"] = torch.float64
        return func(*args, **kwargs)


def results(model, inputs, cotangent):
    """What the model makes of the inputs, in double precision, and the inputs' gradients."""
    model.module.double().eval()
    vectors = [name for name, x in inputs.items() if x.is_floating_point()]
    inputs = {name: x.double().requires_grad_() if name in vectors else x for name, x in inputs.items()}
    with torch.set_grad_enabled(bool(vectors)), Double():
        y = model.run(**inputs)
    made = {model.output: y.detach().float()}
    if vectors:
        made[f"cotangent.{model.output}"] = cotangent = cotangent(y.shape)
        with Double():
            y.backward(cotangent.to(y.dtype))
        made |= {f"grad.{name}": inputs[name].grad.float() for name in vectors}
    return made


def write(name):
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    model = MODELS[name]()
    draw_all(model, generator)
    weights = weights_of(model)
    cases = {}
    for length in LENGTHS:
        inputs = model.inputs(length, generator)
        made = results(model, inputs, lambda shape: torch.randn(shape, generator=generator))
        cases |= {f"{length}.{key}": x.contiguous() for key, x in (inputs | made).items()}
    save_file(weights, FOLDER / f"{name}.safetensors")
    save_file(cases, FOLDER / f"{name}.cases.safetensors")
    return max(cases[f"{length}.{model.output}"].abs().max().item() for length in LENGTHS)


def check(name):
    """How far the committed results are from those of the committed weights."""
    model = MODELS[name]()
    weights = load_file(FOLDER / f"{name}.safetensors")
    cases = load_file(FOLDER / f"{name}.cases.safetensors")
    with torch.no_grad():
        for path, weight in model.module.named_parameters():
            weight.copy_(weights.pop(path))
    if weights:
        raise SystemExit(f"{name}: the model has no {', '.join(weights)}")
    off = 0
    for length in LENGTHS:
        case = {key.split(".", 1)[1]: x for key, x in cases.items() if key.startswith(f"{length}.")}
        inputs = {key: case[key] for key in model.inputs(length, torch.Generator())}
        cotangent = case.get(f"cotangent.{model.output}")
        made = results(model, inputs, lambda shape: cotangent)
        off = max(off, *((x - case[key]).abs().max().item() for key, x in made.items()))
    return off


def main():
    names = [a for a in sys.argv[1:] if a != "--check"] or list(MODELS)
    if "--check" not in sys.argv[1:]:
        for name in names:
            print(f"{name}: written, largest output {write(name):.3g}")
        return 0
    off = {name: check(name) for name in names}
    for name, by in off.items():
        print(f"{name}: off by {by:.2g}")
    return 1 if max(off.values()) > TOLERANCE else 0


if __name__ == "__main__":
    sys.exit(main())
