"""Pointwise functions, norms and projections in f64, and the registry of whole mixers.

A whole mixer is a function `f(p, s, **inputs)` of one sequence: `p` maps a parameter's path to its
array, `s` holds the sizes and settings, and each input is an array [T, its axes]. It returns a dict
of outputs. Nothing here knows seqc: the equations come from the papers, the names from the specs.
"""

import numpy as np

REGISTRY = {}


def mixer(name, sizes, inputs, outputs, params, settings=None, variants=(None,), length=7, file="tier1"):
    """Registers a whole mixer.

    sizes:    every axis and setting the function reads, as a dict
    inputs:   name -> axes ("d", "h dk", "" for none, "dk=4" with a size of its own), or (axes, draw)
    outputs:  name -> axes
    params:   path -> axes, or (axes, draw) with draw(rng, shape, s) -> array
    settings: the sizes that are settings of the spec (given at the call), the others being input axes
    variants: dicts that override sizes, each of which gets a fixture of its own; key "suffix" names it, "length" is its own
    """

    def register(function):
        for variant in variants:
            over = dict(variant or {})
            suffix, steps = over.pop("suffix", None), over.pop("length", length)
            key = f"{name}_{suffix}" if suffix else name
            given = list(settings or []) + [k for k in over if k not in (settings or [])]
            REGISTRY[key] = dict(
                mixer=name, file=file, function=function, sizes=sizes | over, inputs=inputs, outputs=outputs,
                params=params, settings=given, length=steps,
            )
        return function

    return register


# --- pointwise ---------------------------------------------------------------------------------
def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu(x):
    return x * sigmoid(x)


def softplus(x):
    return np.log1p(np.exp(-np.abs(x))) + np.maximum(x, 0)


def logsigmoid(x):
    return -softplus(-x)


def elu(x):
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0)))


# --- norms over the last `axes` axes; 1e-6 under every root -----------------------------------------
EPS = 1e-6


def rmsnorm(x, scale):
    """scale has the normalised axes: the last ones of x."""
    over = tuple(range(-scale.ndim, 0))
    return scale * x / np.sqrt((x * x).mean(axis=over, keepdims=True) + EPS)


def layernorm(x):
    """Over the last axis, without parameters."""
    c = x - x.mean(axis=-1, keepdims=True)
    return c / np.sqrt((c * c).mean(axis=-1, keepdims=True) + EPS)


def l2norm(x):
    """Over the last axis."""
    return x / np.sqrt((x * x).sum(axis=-1, keepdims=True) + EPS)


def softmax(x, axis=-1):
    """Entries of -inf have weight 0; a row of nothing but -inf is 0."""
    top = x.max(axis=axis, keepdims=True)
    e = np.exp(x - np.where(np.isfinite(top), top, 0))
    total = e.sum(axis=axis, keepdims=True)
    return np.divide(e, total, out=np.zeros_like(e), where=total > 0)


# --- projections ---------------------------------------------------------------------------------
def linear(x, w, axes=1):
    """Contracts the last `axes` axes of x with the first `axes` of w: no bias."""
    return np.tensordot(x, w, axes=axes)


def affine(p, path, x, axes=1):
    return linear(x, p[f"{path}.weight"], axes) + p[f"{path}.bias"]


def short_conv(x, w):
    """y_t = sum_l w[..., l] x_{t-l}; x [T, c...], w [c..., taps]."""
    y = np.zeros_like(x)
    for t in range(len(x)):
        for lag in range(min(w.shape[-1], t + 1)):
            y[t] += w[..., lag] * x[t - lag]
    return y


def conv_linear(p, path, x, axes=1):
    """conv(linear(x)) with parameters PATH.weight and PATH.conv.w."""
    return short_conv(linear(x, p[f"{path}.weight"], axes), p[f"{path}.conv.w"])


def previous(x):
    """x[t-1], 0 before the start."""
    return np.concatenate([np.zeros_like(x[:1]), x[:-1]])


def following(x):
    """x[t+1], 0 after the end."""
    return np.concatenate([x[1:], np.zeros_like(x[:1])])


# --- draws for parameters whose values matter ---------------------------------------------------
def uniform(lo, hi):
    return lambda rng, shape, s: rng.uniform(lo, hi, shape)


def around(value, spread=0.2):
    return lambda rng, shape, s: value + spread * rng.standard_normal(shape)


def complex_normal(spread=0.7):
    return lambda rng, shape, s: spread * (rng.standard_normal(shape) + 1j * rng.standard_normal(shape))


def discrete(how):
    """Marks the draw of an input that is only ever compared: its gradient is 0."""
    how.discrete = True
    return how


SCALE = around(1.0)  # of a norm
A_LOG = lambda rng, shape, s: np.log(rng.uniform(1, 16, shape))  # noqa: E731
