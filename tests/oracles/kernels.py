"""Mixers given by a kernel of lags or by a T x T matrix that no softmax makes: direct sums."""

import numpy as np

from basics import affine, around, conv_linear, linear, mixer, sigmoid, uniform


# --- cores ---------------------------------------------------------------------------------------
def convolve(f, u):
    """y_t = sum_lag f[lag] u[t-lag], channel by channel; f [L,c], u [T,c]."""
    y = np.zeros_like(u)
    for t in range(len(u)):
        for lag in range(min(len(f), t + 1)):
            y[t] += f[lag] * u[t - lag]
    return y


def hyena_kernels(p, s, length):
    """The implicit kernels of Hyena (arXiv:2302.10866) -> [length, order, d]: window(lag) mlp(features(lag))."""
    kernels = []
    for lag in range(length):
        angle = 2 * np.pi * np.arange(s["bands"]) * lag / s["span"]
        features = np.stack([np.cos(angle), np.sin(angle)])
        hidden = np.sin(p["freq"] * (np.tensordot(features, p["a.weight"], 2) + p["a.bias"]))
        kernels.append(np.tensordot(hidden, p["f.weight"], 1) * np.exp(-p["decay"] * lag / s["span"]))
    return np.stack(kernels)


# --- whole mixers --------------------------------------------------------------------------------
@mixer("hyena", sizes=dict(d=4, order=2, m=5, bands=3, span=8, taps=3), settings=["order", "m", "bands", "span"], length=9,
       inputs={"x": "d"}, outputs={"y": "d"},
       params={"freq": ("m", around(3.0)), "decay": ("order d", uniform(0.3, 1.5)), "v.weight": "d d'",
               "v.conv.w": "d taps", "w.weight": "d order d", "w.conv.w": "order d taps",
               "a.weight": "two bands m", "a.bias": "m", "f.weight": "m order d", "y.weight": "d d'"})
def hyena(p, s, x):
    f = hyena_kernels(p, s, len(x))
    v, w = conv_linear(p, "v", x), conv_linear(p, "w", x)
    for n in range(s["order"]):
        v = w[:, n] * convolve(f[:, n], v)
    return {"y": linear(v, p["y.weight"])}


def _off_threshold(rng, shape, s):
    """Weights that stay clear of the kink at lam, on both sides of it."""
    w = 0.5 * rng.standard_normal(shape)
    return np.where(np.abs(np.abs(w) - s["lam"]) < 0.03, w + 0.1, w)


@mixer("longconv", sizes=dict(c=4, n=9, lam=0.25), settings=["n", "lam"], length=9, inputs={"u": "c"},
       outputs={"y": "c"}, params={"w": ("c n", _off_threshold), "skip": "c"})
def longconv(p, s, u):
    """arXiv:2302.06646: taps squashed towards 0."""
    f = np.where(p["w"] > s["lam"], p["w"] - s["lam"], np.where(p["w"] < -s["lam"], p["w"] + s["lam"], 0))
    return {"y": convolve(f.T, u) + p["skip"] * u}


@mixer("sgconv", sizes=dict(c=3, taps=2, scales=3), settings=["taps", "scales"], length=9, inputs={"u": "c"},
       outputs={"y": "c"}, params={"w": "c scales taps"})
def sgconv(p, s, u):
    """arXiv:2210.09298: kernels of doubling length, each stretched from `taps` values, joined end to end."""
    parts = [p["w"][:, 0]]
    for scale in range(1, s["scales"]):
        parts.append(2.0**-scale * np.repeat(p["w"][:, scale], 2 ** (scale - 1), axis=1))
    return {"y": convolve(np.concatenate(parts, axis=1).T, u)}


@mixer("conv", file="std", sizes=dict(c=4, taps=4), settings=["taps"], inputs={"x": "c"}, outputs={"y": "c"},
       params={"w": "c taps"})
def conv(p, s, x):
    return {"y": convolve(p["w"].T, x)}


@mixer("toeplitz_mixer", sizes=dict(h=2, p=3, n=7), settings=["n"], inputs={"v": "h p"}, outputs={"o": "h p"},
       params={"W": "h n", "U": "h n"})
def toeplitz_mixer(p, s, v):
    """W holds the lags from 0 up, U (from index 1) those below 0."""
    o = np.zeros_like(v)
    for i in range(len(v)):
        for j in range(len(v)):
            o[i] += (p["W"][:, i - j] if i >= j else p["U"][:, j - i])[:, None] * v[j]
    return {"o": o}


@mixer("dense_mixer", sizes=dict(h=2, p=3, n=7), settings=["n"], inputs={"v": "h p"}, outputs={"o": "h p"},
       params={"W": "h n n'"})
def dense_mixer(p, s, v):
    return {"o": np.einsum("hij,jhp->ihp", p["W"], v)}


@mixer("dft_mixer", sizes=dict(p=3), inputs={"v": "p"}, outputs={"o": "p"}, params={})
def dft_mixer(p, s, v):
    return {"o": np.fft.fft(v, axis=0).real}


AB = {"a.weight": "d h n", "b.weight": "d h n"}
ABV = dict(sizes=dict(d=5, h=2, p=3, n=3), settings=["h", "p", "n"], inputs={"x": "d", "v": "h p"},
           outputs={"o": "h p"}, params=AB)


def matrix_mixer(entry, v):
    """o_i = sum_j M[i,j] v_j with entry(i, j) -> [h]."""
    o = np.zeros_like(v)
    for i in range(len(v)):
        for j in range(len(v)):
            o[i] += entry(i, j)[:, None] * v[j]
    return {"o": o}


@mixer("vandermonde_mixer", **ABV)
def vandermonde_mixer(p, s, x, v):
    a, b = sigmoid(linear(x, p["a.weight"])), sigmoid(linear(x, p["b.weight"]))
    return matrix_mixer(lambda i, j: (a[i] ** j + b[j] ** i).sum(-1), v)


@mixer("cauchy_mixer", **ABV)
def cauchy_mixer(p, s, x, v):
    a, b = np.exp(linear(x, p["a.weight"])), np.exp(linear(x, p["b.weight"]))
    return matrix_mixer(lambda i, j: (1 / (a[i] + b[j])).sum(-1), v)


@mixer("monarch", sizes=dict(d=3, b=2, p=3, n=6), settings=["b", "p"], length=12, inputs={"x": "d"},
       outputs={"y": "d"}, params={"L": "b p p'", "R": "p b b'"}, variants=[None, {"suffix": "ragged", "length": 8}])
def monarch(p, s, x):
    """arXiv:2310.12109, along time, windows of b p steps: block-diagonal L, transpose, block-diagonal R."""
    b, width = s["b"], s["p"]
    n = b * width
    left, right = np.zeros((n, n)), np.zeros((n, n))
    for block in range(b):  # L maps (block, i) to (block, o)
        for i in range(width):
            for o in range(width):
                left[block * width + o, block * width + i] = p["L"][block, i, o]
    for block in range(width):  # R maps (i, block) to (o, block): strided, the permutation's work
        for i in range(b):
            for o in range(b):
                right[o * width + block, i * width + block] = p["R"][block, i, o]
    whole = np.concatenate([x, np.zeros((-len(x) % n, x.shape[1]))])  # the last window reads 0 past the end
    return {"y": np.concatenate([right @ left @ whole[at : at + n] for at in range(0, len(x), n)])[: len(x)]}
