"""Recurrences whose state decays by a number or a diagonal: one step after the other, one head at a time."""

import numpy as np

from attention import rope
from basics import (A_LOG, SCALE, affine, conv_linear, elu, following, linear, mixer, previous, rmsnorm, sigmoid,
                    silu, softplus)


# --- cores ---------------------------------------------------------------------------------------
def decayed(q, k, v, a):
    """S_t = diag(a_t) S_{t-1} + k_t v_t^T; o_t = S_t^T q_t. q, k, a [T,dk] (a may be [T,1]); v [T,dv]."""
    state = np.zeros((q.shape[1], v.shape[1]))
    out = np.zeros_like(v)
    for t in range(len(q)):
        state = a[t][:, None] * state + np.outer(k[t], v[t])
        out[t] = state.T @ q[t]
    return out


def by_head(core, *tensors):
    """Applies core to each head of tensors [T,h,...]."""
    return np.stack([core(*(x[:, h] for x in tensors)) for h in range(tensors[0].shape[1])], axis=1)


def selective_scan(u, dt, a, b, c):
    """Mamba's S6 (arXiv:2312.00752): h_t = exp(dt A) h_{t-1} + dt B u; y = C h. u, dt [T,e]; a [e,n]; b, c [T,n]."""
    state = np.zeros_like(a)
    out = np.zeros_like(u)
    for t in range(len(u)):
        state = np.exp(dt[t][:, None] * a) * state + dt[t][:, None] * b[t][None] * u[t][:, None]
        out[t] = state @ c[t]
    return out


def ssd(u, dt, a, b, c):
    """Mamba-2's SSD (arXiv:2405.21060), one head: u [T,p]; dt [T]; a a number below 0; b, c [T,n]."""
    decay = np.exp(dt * a)[:, None]
    return decayed(c, b, dt[:, None] * u, decay)


def qkv(p, x):
    return tuple(linear(x, p[f"{name}.weight"]) for name in "qkv")


def out_norm(p, o):
    """linear(rmsnorm[dv](o), h dv -> d)"""
    return linear(rmsnorm(o, p["y.rmsnorm.scale"]), p["y.weight"], 2)


QKV = {"q.weight": "d h dk", "k.weight": "d h dk", "v.weight": "d h dv"}
NORM_OUT = {"y.rmsnorm.scale": ("dv", SCALE), "y.weight": "h dv d"}
SIZES = dict(d=6, h=2, dk=3, dv=4)
PLAIN = dict(settings=["h", "dk", "dv"], inputs={"x": "d"}, outputs={"y": "d"})


# --- whole mixers --------------------------------------------------------------------------------
@mixer("linear_attention", sizes=SIZES, **PLAIN, params=QKV | {"y.weight": "h dv d"})
def linear_attention(p, s, x):
    q, k, v = qkv(p, x)
    q, k = elu(q) + 1, elu(k) + 1

    def core(q, k, v):
        one = np.ones((len(q), 1))
        return decayed(q, k, v, one) / decayed(q, k, one, one)

    return {"y": linear(by_head(core, q, k, v), p["y.weight"], 2)}


@mixer("retnet", sizes=SIZES | dict(dk=4), **PLAIN, params=QKV | NORM_OUT | {"gate.weight": "d h dv"})
def retnet(p, s, x):
    q, k, v = qkv(p, x)
    q, k = rope(q) / np.sqrt(s["dk"]), rope(k)
    gamma = np.broadcast_to((1 - 2.0 ** (-5 - np.arange(s["h"])))[:, None], (len(x), s["h"], 1))
    o = rmsnorm(by_head(decayed, q, k, v, gamma), p["y.rmsnorm.scale"])
    return {"y": linear(o * silu(linear(x, p["gate.weight"])), p["y.weight"], 2)}


@mixer("gla", sizes=SIZES | dict(low=2), settings=["h", "dk", "dv", "low"], inputs={"x": "d"}, outputs={"y": "d"},
       params=QKV | NORM_OUT | {"w.weight": "d low", "a.weight": "low h dk", "a.bias": "h dk", "gate.weight": "d h dv"})
def gla(p, s, x):
    q, k, v = qkv(p, x)
    a = sigmoid(affine(p, "a", linear(x, p["w.weight"]))) ** (1 / 16)
    o = rmsnorm(by_head(decayed, q / np.sqrt(s["dk"]), k, v, a), p["y.rmsnorm.scale"])
    return {"y": linear(o * silu(linear(x, p["gate.weight"])), p["y.weight"], 2)}


@mixer("bigla", sizes=SIZES, **PLAIN, params=QKV | NORM_OUT | {
    "a.weight": "d h dk", "a.bias": "h dk", "b.weight": "d h dk", "b.bias": "h dk"})
def bigla(p, s, x):
    """Both directions, the present counted once."""
    q, k, v = qkv(p, x)
    a, b = (sigmoid(affine(p, name, x)) ** (1 / 16) for name in "ab")
    ahead = by_head(decayed, q[::-1], k[::-1], v[::-1], b[::-1])[::-1]
    own = (q * k).sum(-1, keepdims=True) * v
    return {"y": out_norm(p, by_head(decayed, q, k, v, a) + ahead - own)}


@mixer("hgrn2", sizes=SIZES | dict(lo=0.25), settings=["h", "dk", "dv", "lo"], inputs={"x": "d"}, outputs={"y": "d"},
       params={"q.weight": "d h dk", "f.weight": "d h dk", "v.weight": "d h dv"} | NORM_OUT)
def hgrn2(p, s, x):
    q, v = silu(linear(x, p["q.weight"])), silu(linear(x, p["v.weight"]))
    f = s["lo"] + (1 - s["lo"]) * sigmoid(linear(x, p["f.weight"]))
    return {"y": out_norm(p, by_head(decayed, q, 1 - f, v, f))}


@mixer("lightnet", sizes=SIZES, **PLAIN,
       params={"q.weight": "d h dk", "e.weight": "d h dk", "v.weight": "d h dv"} | NORM_OUT)
def lightnet(p, s, x):
    """arXiv:2405.21022: exp-weighted running mean of v for each key channel."""
    q, e, v = silu(linear(x, p["q.weight"])), np.exp(linear(x, p["e.weight"])), linear(x, p["v.weight"])
    o = np.zeros_like(v)
    for t in range(len(x)):
        for h in range(s["h"]):
            for c in range(s["dk"]):
                weight = e[: t + 1, h, c]
                o[t, h] += q[t, h, c] * (weight @ v[: t + 1, h]) / weight.sum()
    return {"y": out_norm(p, o)}


@mixer("mamba", sizes=dict(d=5, e=6, n=3, low=2), settings=["e", "n", "low"], inputs={"x": "d"}, outputs={"y": "d"},
       params={"A_log": ("e n", lambda rng, shape, s: np.log(1 + np.arange(s["n"]) + rng.uniform(0, 0.5, shape))),
               "skip": ("e", SCALE), "u.weight": "d e", "u.conv.w": "e taps", "w.weight": "e low",
               "dt.weight": "low e", "dt.bias": "e", "B.weight": "e n", "C.weight": "e n", "z.weight": "d e",
               "y.weight": "e d"})
def mamba(p, s, x):
    u = silu(conv_linear(p, "u", x))
    dt = softplus(affine(p, "dt", linear(u, p["w.weight"])))
    o = selective_scan(u, dt, -np.exp(p["A_log"]), linear(u, p["B.weight"]), linear(u, p["C.weight"]))
    z = silu(linear(x, p["z.weight"]))
    return {"y": linear((o + p["skip"] * u) * z, p["y.weight"])}


@mixer("mamba2", sizes=dict(d=6, g=2, p=3, r=2, n=4), settings=["g", "p", "r", "n"], inputs={"x": "d"},
       outputs={"y": "d"},
       params={"A_log": ("g r", A_LOG), "skip": ("g r", SCALE), "u.weight": "d g r p", "u.conv.w": "g r p taps",
               "B.weight": "d g n", "B.conv.w": "g n taps", "C.weight": "d g n", "C.conv.w": "g n taps",
               "dt.weight": "d g r", "dt.bias": "g r", "z.weight": "d g r p", "y.rmsnorm.scale": ("g r p", SCALE),
               "y.weight": "g r p d"})
def mamba2(p, s, x):
    """The spec's skip{g, r} times u{g, r, p}; B and C are shared by the r heads of a group."""
    u, b, c = (silu(conv_linear(p, name, x)) for name in "uBC")
    dt = softplus(affine(p, "dt", x))
    o = np.zeros_like(u)
    for g in range(s["g"]):
        for r in range(s["r"]):
            o[:, g, r] = ssd(u[:, g, r], dt[:, g, r], -np.exp(p["A_log"][g, r]), b[:, g], c[:, g])
    o = o + p["skip"][:, :, None] * u
    z = silu(linear(x, p["z.weight"]))
    return {"y": linear(rmsnorm(o * z, p["y.rmsnorm.scale"]), p["y.weight"], 3)}


@mixer("hydra", sizes=dict(d=6, p=3, h=2, n=4), settings=["p", "h", "n"], inputs={"x": "d"}, outputs={"y": "d"},
       params={"A_log": ("h", A_LOG), "u.weight": "d h p", "u.conv.w": "h p taps", "B.weight": "d n",
               "B.conv.w": "n taps", "C.weight": "d n", "C.conv.w": "n taps", "dt.weight": "d h two",
               "dt.bias": "h two", "skip.weight": "d h", "skip.bias": "h", "z.weight": "d h p",
               "y.rmsnorm.scale": ("h p", SCALE), "y.weight": "h p d"})
def hydra(p, s, x):
    """Quasiseparable (arXiv:2407.09941): shift(SSD forward) + shift(SSD backward) + diagonal."""
    u, b, c = (silu(conv_linear(p, name, x)) for name in "uBC")
    dt = softplus(affine(p, "dt", x))
    diagonal = affine(p, "skip", x)
    o = np.zeros_like(u)
    for h in range(s["h"]):
        a = -np.exp(p["A_log"][h])
        ahead = ssd(u[:, h], dt[:, h, 0], a, b, c)
        back = ssd(u[::-1, h], dt[::-1, h, 1], a, b[::-1], c[::-1])[::-1]
        o[:, h] = previous(ahead) + following(back) + diagonal[:, h, None] * u[:, h]
    z = silu(linear(x, p["z.weight"]))
    return {"y": linear(rmsnorm(o * z, p["y.rmsnorm.scale"]), p["y.weight"], 2)}


@mixer("ssd_matrix", sizes=dict(h=2, n=3, p=4), inputs={
    "q": "h n", "k": "h n", "v": "h p", "a": ("h", lambda rng, shape, s: rng.uniform(0.2, 1.0, shape))},
    outputs={"o": "h p"}, params={})
def ssd_matrix(p, s, q, k, v, a):
    return {"o": by_head(decayed, q, k, v, a[:, :, None])}


@mixer("mlstm", sizes=SIZES, **PLAIN, params=QKV | NORM_OUT | {
    "i.weight": "d h", "i.bias": "h", "f.weight": "d h", "f.bias": "h", "gate.weight": "d h dv", "gate.bias": "h dv"})
def mlstm(p, s, x):
    """arXiv:2405.04517, without a stabiliser (f64 needs none at these sizes)."""
    q, k, v = qkv(p, x)
    k = k / np.sqrt(s["dk"])
    i, f = np.exp(affine(p, "i", x)), sigmoid(affine(p, "f", x))

    def core(q, k, v, i, f):
        decay = f[:, None]
        norm = decayed(q, k, i[:, None], decay)
        return decayed(q, k, i[:, None] * v, decay) / np.maximum(np.abs(norm), 1)

    o = by_head(core, q, k, v, i, f)
    gate = sigmoid(affine(p, "gate", x))
    return {"y": linear(gate * rmsnorm(o, p["y.rmsnorm.scale"]), p["y.weight"], 2)}


@mixer("mom", sizes=dict(d=6, m=4, h=2, dk=3, dv=3), settings=["m", "h", "dk", "dv"], inputs={"x": "d"},
       outputs={"y": "d"},
       params={"score.weight": "d m", "q.weight": "d h dk", "k.weight": "d m h dk", "v.weight": "d m h dv",
               "a.weight": "d m h", "a.bias": "m h", "ks.weight": "d h dk", "vs.weight": "d h dv",
               "ash.weight": "d h", "ash.bias": "h"} | NORM_OUT)
def mom(p, s, x):
    """Mixture of memories (arXiv:2502.13685): the two best memories of a token are written and read."""
    logits = linear(x, p["score.weight"])
    score = np.exp(logits) / np.exp(logits).sum(-1, keepdims=True)
    pick = np.zeros_like(score)
    for t in range(len(x)):
        pick[t, np.argsort(-score[t])[:2]] = 1
    q, k, v = qkv(p, x)
    a = sigmoid(affine(p, "a", x))
    ks, vs = linear(x, p["ks.weight"]), linear(x, p["vs.weight"])
    shared = sigmoid(affine(p, "ash", x))
    o = np.zeros((len(x), s["h"], s["dv"]))
    for h in range(s["h"]):
        memory = np.zeros((s["m"], s["dk"], s["dv"]))
        common = np.zeros((s["dk"], s["dv"]))
        for t in range(len(x)):
            common = shared[t, h] * common + np.outer(ks[t, h], vs[t, h])
            read = common.copy()
            for m in np.flatnonzero(pick[t]):
                memory[m] = a[t, m, h] * memory[m] + np.outer(k[t, m, h], v[t, m, h])
                read += score[t, m] / (pick[t] @ score[t]) * memory[m]
            o[t, h] = read.T @ q[t, h]
    balance = 0.01 * s["m"] * pick.mean(0) @ score.mean(0)
    return {"y": out_norm(p, o), "objective.balance": balance}
