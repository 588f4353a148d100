"""Softmax attention in its forms, and the gated attention unit: the T x T definition, row by row."""

import numpy as np

from basics import around, linear, mixer, silu, softmax


def rope(x, base=10000.0):
    """Rotary positions (arXiv:2104.09864) on the last axis of x [T, ..., c]: pair m is (m, m + c/2)."""
    half = x.shape[-1] // 2
    y = np.empty_like(x)
    for t in range(len(x)):
        for m in range(half):
            angle = t * base ** (-m / half)
            a, b = x[t, ..., m], x[t, ..., m + half]
            y[t, ..., m] = a * np.cos(angle) - b * np.sin(angle)
            y[t, ..., m + half] = a * np.sin(angle) + b * np.cos(angle)
    return y


def attend(q, k, v, allowed, bias=None):
    """q [T,dk], k [S,dk], v [S,dv] -> [T,dv]; allowed(i, j) says whether step i may read j."""
    out = np.zeros((len(q), v.shape[1]))
    for i in range(len(q)):
        score = np.full(len(k), -np.inf)
        for j in range(len(k)):
            if allowed(i, j):
                score[j] = q[i] @ k[j] / np.sqrt(len(q[i])) + (bias(i, j) if bias else 0.0)
        out[i] = softmax(score) @ v
    return out


def heads(q, k, v, allowed, bias=None):
    """`attend` for each head of q [T,h,dk], k [S,h,dk], v [S,h,dv]; bias(head, i, j)."""
    return np.stack([
        attend(q[:, h], k[:, h], v[:, h], allowed, bias and (lambda i, j, h=h: bias(h, i, j)))
        for h in range(q.shape[1])
    ], axis=1)


def project(p, x, mem=None):
    return linear(x, p["q.weight"]), linear(x if mem is None else mem, p["k.weight"]), linear(
        x if mem is None else mem, p["v.weight"])


@mixer("attention", sizes=dict(d=8, g=2, r=2, dk=4, dv=3), settings=["g", "r", "dk", "dv"],
       variants=[None, dict(suffix="window", window=3), dict(suffix="multiquery", g=1, r=3, dv=4)],
       inputs={"x": "d"}, outputs={"y": "d"},
       params={"q.weight": "d g r dk", "k.weight": "d g dk", "v.weight": "d g dv", "y.weight": "g r dv d"})
def attention(p, s, x):
    q, k, v = project(p, x)
    q, k = rope(q), rope(k)
    window = s.get("window", np.inf)
    causal = lambda i, j: j <= i and i - j < window  # noqa: E731
    # Query heads (g, r) share the key and value head g.
    o = np.stack([np.stack([attend(q[:, g, r], k[:, g], v[:, g], causal) for r in range(s["r"])], 1)
                  for g in range(s["g"])], 1)
    return {"y": linear(o, p["y.weight"], 3)}


@mixer("cross_attention", sizes=dict(d=6, h=2, dk=3), settings=["h", "dk"],
       inputs={"x": "d", "mem": "d"}, outputs={"y": "d"},
       params={"q.weight": "d h dk", "k.weight": "d h dk", "v.weight": "d h dk", "y.weight": "h dk d"})
def cross_attention(p, s, x, mem):
    o = heads(*project(p, x, mem), lambda i, j: True)
    return {"y": linear(o, p["y.weight"], 2)}


# p = 0: no random blocks, whose hash is the language's own affair.
@mixer("bigbird", sizes={"d": 8, "h": 2, "dk": 4, "b": 2, "near": 1, "global": 1, "p": 0.0}, length=9,
       settings=["h", "dk", "b", "near", "global", "p"], inputs={"x": "d"}, outputs={"y": "d"},
       params={"q.weight": "d h dk", "k.weight": "d h dk", "v.weight": "d h dk", "y.weight": "h dk d"})
def bigbird(p, s, x):
    q, k, v = project(p, x)

    def allowed(i, j):
        return abs(i // s["b"] - j // s["b"]) <= s["near"] or j < s["global"] or i < s["global"]

    return {"y": linear(heads(rope(q), rope(k), v, allowed), p["y.weight"], 2)}


@mixer("alibi", file="std", sizes=dict(d=6, h=2, dk=3), settings=["h", "dk"], inputs={"x": "d"}, outputs={"y": "d"},
       params={"q.weight": "d h dk", "k.weight": "d h dk", "v.weight": "d h dk", "y.weight": "h dk d"})
def alibi(p, s, x):
    slope = lambda h, i, j: -(2.0 ** (-8 * (h + 1) / s["h"])) * (i - j)  # noqa: E731
    o = heads(*project(p, x), lambda i, j: j <= i, slope)
    return {"y": linear(o, p["y.weight"], 2)}


@mixer("gau", sizes=dict(d=6, e=8, s=4), settings=["e", "s"], inputs={"x": "d"}, outputs={"y": "d"},
       params={"ga": ("two s", around(1.0, 0.5)), "be": "two s", "z.weight": "d s", "u.weight": "d e",
               "v.weight": "d e", "y.weight": "e d"})
def gau(p, s, x):
    """arXiv:2202.10447 with relu^2 and a causal mean."""
    z = silu(linear(x, p["z.weight"]))
    q, k = z * p["ga"][0] + p["be"][0], z * p["ga"][1] + p["be"][1]
    u, v = silu(linear(x, p["u.weight"])), silu(linear(x, p["v.weight"]))
    o = np.zeros_like(v)
    for i in range(len(x)):
        for j in range(i + 1):
            o[i] += max(q[i] @ k[j] / (i + 1), 0) ** 2 * v[j]
    return {"y": linear(u * o, p["y.weight"])}
