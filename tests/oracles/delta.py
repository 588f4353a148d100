"""Recurrences whose transition is a diagonal or the identity plus rank one: delta rules, with momentum, and RWKV-7."""

import numpy as np

from attention import attention as softmax_attention
from basics import A_LOG, SCALE, affine, around, conv_linear, l2norm, layernorm, linear, mixer, previous, rmsnorm
from basics import sigmoid, silu, softplus
from linear_recurrences import NORM_OUT, by_head, out_norm


# --- cores ---------------------------------------------------------------------------------------
def gated_delta_rule(q, k, v, beta, alpha):
    """S_t = alpha S_{t-1} (I - beta k k^T) + beta v k^T; o = S q (arXiv:2412.06464), S [dv,dk].

    alpha = 1 is the delta rule (arXiv:2406.06484). q, k [T,dk]; v [T,dv]; beta, alpha [T].
    """
    state = np.zeros((v.shape[1], q.shape[1]))
    out = np.zeros_like(v)
    for t in range(len(q)):
        transition = np.eye(q.shape[1]) - beta[t] * np.outer(k[t], k[t])
        state = alpha[t] * state @ transition + beta[t] * np.outer(v[t], k[t])
        out[t] = state @ q[t]
    return out


def rwkv7_core(r, w, k, v, a, b):
    """S_t = S_{t-1} (diag(w) + a^T b) + v^T k; o = S r^T (arXiv:2503.14456). All [T,dk], v [T,dv]."""
    state = np.zeros((v.shape[1], r.shape[1]))
    out = np.zeros_like(v)
    for t in range(len(r)):
        state = state @ (np.diag(w[t]) + np.outer(a[t], b[t])) + np.outer(v[t], k[t])
        out[t] = state @ r[t]
    return out


def titans_core(q, k, v, alpha, eta, theta):
    """S_t = eta S_{t-1} - theta grad l, l = |M_{t-1} k - v|^2 / 2; M_t = (1 - alpha) M_{t-1} + S_t; o = M q.

    arXiv:2501.00663, equations 10 and 13, with a linear memory M [dv,dk]. q, k [T,dk]; v [T,dv]; the rest [T].
    """
    memory = np.zeros((v.shape[1], q.shape[1]))
    surprise = np.zeros_like(memory)
    out = np.zeros_like(v)
    for t in range(len(q)):
        gradient = np.outer(memory @ k[t] - v[t], k[t])
        surprise = eta[t] * surprise - theta[t] * gradient
        memory = (1 - alpha[t]) * memory + surprise
        out[t] = memory @ q[t]
    return out


# --- whole mixers --------------------------------------------------------------------------------
DELTA = {f"{name}.{kind}": axes for name, c in (("q", "dk"), ("k", "dk"), ("v", "dv"))
         for kind, axes in (("weight", f"d h {c}"), ("conv.w", f"h {c} taps"))} | {"beta.weight": "d h"}


def delta_inputs(p, x):
    q, k = (l2norm(silu(conv_linear(p, name, x))) for name in "qk")
    return q, k, silu(conv_linear(p, "v", x)), sigmoid(linear(x, p["beta.weight"]))


@mixer("deltanet", sizes=dict(d=6, h=2, dk=3, dv=4), settings=["h", "dk", "dv"], inputs={"x": "d"},
       outputs={"y": "d"}, params=DELTA | NORM_OUT)
def deltanet(p, s, x):
    q, k, v, beta = delta_inputs(p, x)
    return {"y": out_norm(p, by_head(gated_delta_rule, q, k, v, beta, np.ones_like(beta)))}


@mixer("gated_deltanet", sizes=dict(d=6, h=2, dk=3, dv=4), settings=["h", "dk", "dv"], inputs={"x": "d"},
       outputs={"y": "d"},
       params=DELTA | NORM_OUT | {"A_log": ("h", A_LOG), "dt.weight": "d h", "dt.bias": ("h", around(-2.0)),
                                  "gate.weight": "d h dv"})
def gated_deltanet(p, s, x):
    q, k, v, beta = delta_inputs(p, x)
    alpha = np.exp(-softplus(affine(p, "dt", x)) * np.exp(p["A_log"]))
    o = rmsnorm(by_head(gated_delta_rule, q, k, v, beta, alpha), p["y.rmsnorm.scale"])
    return {"y": linear(o * silu(linear(x, p["gate.weight"])), p["y.weight"], 2)}


@mixer("titans", sizes=dict(d=6, h=2, dk=3, dv=4), settings=["h", "dk", "dv"], inputs={"x": "d"},
       outputs={"y": "d"},
       params={k: v for k, v in DELTA.items() if k != "beta.weight"} | NORM_OUT
       | {f"{name}.weight": "d h" for name in ("alpha", "eta", "theta")}, file="coupled")
def titans(p, s, x):
    q, k = (l2norm(silu(conv_linear(p, name, x))) for name in "qk")
    v = silu(conv_linear(p, "v", x))
    gates = (sigmoid(linear(x, p[f"{name}.weight"])) for name in ("alpha", "eta", "theta"))
    return {"y": out_norm(p, by_head(titans_core, q, k, v, *gates))}


@mixer("rwkv7", sizes=dict(d=6, h=2, dk=3, dv=4, low=2, ch=6), settings=["h", "dk", "dv", "low", "ch"],
       inputs={"x": "d", "v0": "h dv"}, outputs={"y": "d", "v": "h dv"},
       params={"mix": ("ch d", around(0.5)), "kk": ("h dk", SCALE), "ka": ("h dk", SCALE), "rk": "h dk",
               "r.weight": "d h dk", "k0.weight": "d h dk", "v1.weight": "d h dv", "nl.weight": "d low",
               "v.weight": "low h dv", "v.bias": "h dv", "wl.weight": "d low", "w.weight": "low h dk",
               "w.bias": "h dk", "al.weight": "d low", "a.weight": "low h dk", "a.bias": "h dk",
               "gl.weight": "d low", "gate.weight": "low h dv", "y.weight": "h dv d"})
def rwkv7(p, s, x, v0):
    xr, xk, xv, xw, xa, xg = (x + mix * (previous(x) - x) for mix in p["mix"])
    r, k0, v1 = linear(xr, p["r.weight"]), linear(xk, p["k0.weight"]), linear(xv, p["v1.weight"])
    v = v1 + sigmoid(affine(p, "v", linear(xv, p["nl.weight"]))) * (v0 - v1)
    w = np.exp(-0.606531 * sigmoid(affine(p, "w", np.tanh(linear(xw, p["wl.weight"])))))
    a = sigmoid(affine(p, "a", linear(xa, p["al.weight"])))
    gate = linear(sigmoid(linear(xg, p["gl.weight"])), p["gate.weight"])
    z = l2norm(p["kk"] * k0)
    k = k0 * (1 + (a - 1) * p["ka"])
    # The transition S' (diag(w) - z^T (a z)): the removal key z, the replacement a z.
    o = layernorm(by_head(rwkv7_core, r, w, k, v, -z, z * a))
    o = o + (r * k * p["rk"]).sum(-1, keepdims=True) * v
    return {"y": linear(o * gate, p["y.weight"], 2), "v": v}


# Sizes as the callees' defaults give them for d = 16: attention(g 2, r 4, dk 2), deltanet(h 4, dk 4).
def _paths(callee, params):
    return {f"y.{callee}.{path}": axes for path, axes in params.items()}


@mixer("swa_delta", sizes=dict(d=16, g=2, r=4, h=4, dk=2, dv=4, taps=4), inputs={"x": "d"}, outputs={"y": "d"},
       params=_paths("attention", {"q.weight": "d g r dk", "k.weight": "d g dk", "v.weight": "d g dv=2",
                                   "y.weight": "g r dv=2 d"})
       | _paths("deltanet", {"q.weight": "d h dk=4", "q.conv.w": "h dk=4 taps", "k.weight": "d h dk=4",
                             "k.conv.w": "h dk=4 taps", "v.weight": "d h dv", "v.conv.w": "h dv taps",
                             "beta.weight": "d h", "y.rmsnorm.scale": ("dv", SCALE), "y.weight": "h dv d"}))
def swa_delta(p, s, x):
    def inner(callee):
        return {path.removeprefix(f"y.{callee}."): value for path, value in p.items() if callee in path}

    near = softmax_attention(inner("attention"), dict(g=2, r=4, window=256), x)["y"]
    return {"y": near + deltanet(inner("deltanet"), {}, x)["y"]}
