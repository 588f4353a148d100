#!/usr/bin/env python3
"""Writes tests/outside/*.safetensors: weights, inputs and results of models that others wrote.

    make_outside.py [NAME...]   write all fixtures anew, or the named ones
    make_outside.py --check     compute the results from the committed weights and compare

NAME.safetensors holds the weights under the names and in the layouts of the outside implementation, and nothing
else: what one of its checkpoints would hold. NAME.cases.safetensors holds `input.T` and `output.T` for sequences of
T steps. README.md beside this file says what each model is.
"""

import pathlib
import sys
import zlib

import torch
import transformers
from safetensors.torch import load_file, save_file

FOLDER = pathlib.Path(__file__).parent
LENGTHS = (1, 7, 40)
BATCH = 2
VOCAB = 50
# Results may differ between machines by rounding only.
TOLERANCE = 1e-5


class Language:
    """A causal language model of the `transformers` package: tokens to logits."""

    def __init__(self, kind, **config):
        config = kind.config_class(vocab_size=VOCAB, use_cache=False, pad_token_id=None, **config)
        config._attn_implementation = "eager"
        config._experts_implementation = "eager"
        self.module = kind(config)

    def inputs(self, length, generator):
        return torch.randint(VOCAB, (BATCH, length), generator=generator)

    def run(self, tokens):
        return self.module(tokens, use_cache=False).logits


class Recurrent:
    """A recurrent layer of torch: sequences of vectors to sequences of vectors."""

    def __init__(self, kind, width, hidden):
        self.width = width
        self.module = kind(width, hidden, num_layers=2, batch_first=True)

    def inputs(self, length, generator):
        return torch.randn(BATCH, length, self.width, generator=generator)

    def run(self, x):
        return self.module(x.to(self.module.weight_ih_l0.dtype))[0]


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
    return Recurrent(torch.nn.LSTM, 12, 12)


def gru():
    return Recurrent(torch.nn.GRU, 10, 16)


MODELS = {f.__name__: f for f in (llama, mamba, mamba2, qwen3_next, kimi_linear, recurrent_gemma, xlstm, lstm, gru)}


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


def results(model, inputs):
    """What the model says of each input, in double precision wherever the model keeps it."""
    model.module.double().eval()
    with torch.no_grad():
        return {length: model.run(x).float() for length, x in inputs.items()}


def write(name):
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    model = MODELS[name]()
    draw_all(model, generator)
    weights = weights_of(model)
    inputs = {length: model.inputs(length, generator) for length in LENGTHS}
    cases = {f"input.{length}": x for length, x in inputs.items()}
    cases |= {f"output.{length}": y.contiguous() for length, y in results(model, inputs).items()}
    save_file(weights, FOLDER / f"{name}.safetensors")
    save_file(cases, FOLDER / f"{name}.cases.safetensors")
    return max(y.abs().max().item() for k, y in cases.items() if k.startswith("output."))


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
    found = results(model, {length: cases[f"input.{length}"] for length in LENGTHS})
    return max((y - cases[f"output.{length}"]).abs().max().item() for length, y in found.items())


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
