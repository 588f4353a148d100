"""Recurrences that are nonlinear in their state, one step after the other."""

import numpy as np

from basics import SCALE, linear, logsigmoid, mixer, rmsnorm, sigmoid


# --- cores: u [T, ...] are the hoisted input projections --------------------------------------------
def per_head(state, w):
    """state [h,k], w [h,k,...] -> [h,...]: a block of weights for each head."""
    return np.stack([np.tensordot(state[h], w[h], 1) for h in range(len(w))])


def elman_core(u, w):
    """y_t = tanh(u_t + W y_{t-1}); u [T,h,k], w [h,k,k]."""
    y, out = np.zeros_like(u[0]), np.zeros_like(u)
    for t in range(len(u)):
        y = out[t] = np.tanh(u[t] + per_head(y, w))
    return out


def lstm_core(u, w):
    """u [T,4,h,k] in the order input, forget (bias 1 added), output, cell; w [h,k,4,k]."""
    c = s = np.zeros(u.shape[2:])
    out = np.zeros((len(u), *c.shape))
    for t in range(len(u)):
        i, f, o, g = u[t] + per_head(s, w).swapaxes(0, 1)
        c = sigmoid(f + 1) * c + sigmoid(i) * np.tanh(g)
        s = out[t] = sigmoid(o) * np.tanh(c)
    return out


def gru_core(u, w, gates, cell):
    """u [T,2,k] (reset, update), w [T,k], gates [k,2,k], cell [k,k]; the reset gate acts after the matmul."""
    y, out = np.zeros_like(w[0]), np.zeros_like(w)
    for t in range(len(w)):
        reset, update = sigmoid(u[t] + np.tensordot(y, gates, 1))
        candidate = np.tanh(w[t] + reset * (y @ cell))
        y = out[t] = (1 - update) * y + update * candidate
    return out


def slstm_core(u, w):
    """arXiv:2405.04517: u [T,4,h,k] in the order input, forget, cell, output; w [h,k,4,k].

    Written without the stabiliser m, which cancels: c and n of the paper times exp(m).
    """
    c = n = s = np.zeros(u.shape[2:])
    out = np.zeros((len(u), *c.shape))
    for t in range(len(u)):
        i, f, z, o = u[t] + per_head(s, w).swapaxes(0, 1)
        keep, write = np.exp(logsigmoid(f)), np.exp(i)
        c, n = keep * c + write * np.tanh(z), keep * n + write
        s = out[t] = sigmoid(o) * c / n
    return out


# --- whole mixers --------------------------------------------------------------------------------
SIZES = dict(d=4, h=2, k=3)
GATED = dict(sizes=dict(d=6, h=2, k=3, gates=4), settings=["h", "k"], inputs={"x": "d"}, outputs={"y": "d"})


@mixer("elman", sizes=SIZES, settings=["h", "k"], inputs={"x": "d"}, outputs={"y": "h k"},
       params={"u.weight": "d h k", "u.bias": "h k", "y.weight": "h k k'"})
def elman(p, s, x):
    return {"y": elman_core(linear(x, p["u.weight"]) + p["u.bias"], p["y.weight"])}


# y = s{h k -> d}: d is h k.
@mixer("lstm", **GATED, params={"u.weight": "d gates h k", "u.bias": "gates h k", "r.weight": "h k gates k'"})
def lstm(p, s, x):
    out = lstm_core(linear(x, p["u.weight"]) + p["u.bias"], p["r.weight"])
    return {"y": out.reshape(len(x), -1)}


@mixer("gru", sizes=dict(d=4, k=5, gates=2), settings=["k"], inputs={"x": "d"}, outputs={"y": "k"},
       params={"u.weight": "d gates k", "u.bias": "gates k", "w.weight": "d k", "w.bias": "k",
               "g.weight": "k gates k'", "c.weight": "k k'"})
def gru(p, s, x):
    u, w = linear(x, p["u.weight"]) + p["u.bias"], linear(x, p["w.weight"]) + p["w.bias"]
    return {"y": gru_core(u, w, p["g.weight"], p["c.weight"])}


@mixer("slstm", **GATED, params={
    "u.weight": "d gates h k", "u.bias": "gates h k", "p.weight": "h k gates k'", "y.rmsnorm.scale": ("k", SCALE),
    "y.weight": "h k d"})
def slstm(p, s, x):
    out = slstm_core(linear(x, p["u.weight"]) + p["u.bias"], p["p.weight"])
    return {"y": linear(rmsnorm(out, p["y.rmsnorm.scale"]), p["y.weight"], 2)}
