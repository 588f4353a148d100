"""Six byte-level language models as a PyTorch user writes them today, in eager mode.

They are the yardstick that seqc's own examples are timed against, so each uses the fastest form
that eager PyTorch offers: fused attention, chunked matmuls for the linear recurrences, cuDNN-style
`nn.LSTM`, FFT convolutions. All share one frame:

    x += mixer(rmsnorm(x));  x += swiglu(rmsnorm(x));  logits = E rmsnorm(x)   (tied embedding E)

A mixer is a module with two methods:
    forward(x [B,T,d]) -> y [B,T,d]                  all of a sequence at once, from an empty state
    step(x [B,1,d], state) -> (y [B,1,d], state)     one more step; state None at the start
A mixer without a constant or cached state (Hyena) has no `step`; the model then runs whole.
"""

import math

import torch
import torch.nn.functional as F
from torch import nn

CHUNK = 32  # steps that the chunked recurrences take per matmul; the fastest of 16, 32, 64 here


def rope(x, start=0, base=10000.0):
    """Rotary positions on x [B,H,T,c]; the first half of c holds real parts, the second imaginary."""
    half = x.shape[-1] // 2
    freq = base ** (-torch.arange(half) / half)
    angle = torch.arange(start, start + x.shape[-2])[:, None] * freq
    cos, sin = angle.cos(), angle.sin()
    a, b = x[..., :half], x[..., half:]
    return torch.cat([a * cos - b * sin, a * sin + b * cos], dim=-1)


class Attention(nn.Module):
    """Causal softmax attention with rotary positions; its state is the key/value cache."""

    def __init__(self, d, heads=4):
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(d, 3 * d, bias=False)
        self.out = nn.Linear(d, d, bias=False)

    def _project(self, x, start):
        b, t, d = x.shape
        q, k, v = self.qkv(x).view(b, t, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4)
        return rope(q, start), rope(k, start), v

    def _finish(self, o):
        return self.out(o.transpose(1, 2).flatten(2))

    def forward(self, x):
        q, k, v = self._project(x, 0)
        return self._finish(F.scaled_dot_product_attention(q, k, v, is_causal=True))

    def step(self, x, state):
        start = 0 if state is None else state[0].shape[2]
        q, k, v = self._project(x, start)
        if state is not None:
            k, v = torch.cat([state[0], k], dim=2), torch.cat([state[1], v], dim=2)
        return self._finish(F.scaled_dot_product_attention(q, k, v)), (k, v)


class GLA(nn.Module):
    """Gated linear attention (arXiv:2312.06635): S_t = diag(a_t) S_{t-1} + k_t v_t^T, chunked."""

    def __init__(self, d, heads=4, low=16):
        super().__init__()
        self.heads, self.dk, self.dv = heads, d // heads // 2, d // heads
        self.q = nn.Linear(d, heads * self.dk, bias=False)
        self.k = nn.Linear(d, heads * self.dk, bias=False)
        self.v = nn.Linear(d, d, bias=False)
        self.low = nn.Linear(d, low, bias=False)
        self.a = nn.Linear(low, heads * self.dk)
        self.gate = nn.Linear(d, d, bias=False)
        self.norm = nn.RMSNorm(self.dv, eps=1e-6)
        self.out = nn.Linear(d, d, bias=False)

    def _project(self, x):
        def split(y):  # [B,T,h*c] -> [B,h,T,c]
            return y.unflatten(-1, (self.heads, -1)).transpose(1, 2)

        loga = F.logsigmoid(split(self.a(self.low(x)))) / 16
        return split(self.q(x)) / math.sqrt(self.dk), split(self.k(x)), split(self.v(x)), loga

    def _finish(self, o, x):
        return self.out(self.norm(o.transpose(1, 2)).flatten(2) * F.silu(self.gate(x)))

    def forward(self, x):
        t = x.shape[1]
        pad = -t % CHUNK
        # [B,h,chunks,C,*]; padded steps have k = v = 0 and decay 1, so they change nothing.
        q, k, v, loga = (F.pad(y, (0, 0, 0, pad)).unflatten(2, (-1, CHUNK)) for y in self._project(x))
        b = loga.cumsum(3)
        last = b[..., -1:, :]
        # Inside a chunk exponents stay small (C/16 times a log-sigmoid), so exp(-b) is safe.
        qb = q * b.exp()
        inner = (qb @ (k * (-b).exp()).transpose(-1, -2)).tril()
        o = inner @ v
        update = (k * (last - b).exp()).transpose(-1, -2) @ v
        decay = last.exp().transpose(-1, -2)
        state, states = torch.zeros_like(update[:, :, 0]), []
        for c in range(update.shape[2]):
            states.append(state)
            state = decay[:, :, c] * state + update[:, :, c]
        o = o + qb @ torch.stack(states, dim=2)
        return self._finish(o.flatten(2, 3)[:, :, :t], x)

    def step(self, x, state):
        q, k, v, loga = self._project(x)
        new = k.transpose(-1, -2) @ v
        if state is not None:
            new = loga.exp().transpose(-1, -2) * state + new
        return self._finish(q @ new, x), new


def short_conv(x, weight, state=None):
    """Causal depthwise convolution of x [B,T,c] with weight [c,taps]; state: the taps-1 last inputs."""
    taps = weight.shape[1]
    if state is None:
        state = x.new_zeros(x.shape[0], taps - 1, x.shape[2])
    x = torch.cat([state, x], dim=1)
    y = F.conv1d(x.transpose(1, 2), weight.flip(1)[:, None], groups=x.shape[2])
    return y.transpose(1, 2), x[:, 1 - taps :]


def segsum(x):
    """x [..., C] -> [..., C, C]: entry (i,j) is the sum of x over j+1..i, -inf above the diagonal."""
    total = x.cumsum(-1)
    mask = torch.ones(x.shape[-1], x.shape[-1], dtype=torch.bool).tril()
    return (total[..., :, None] - total[..., None, :]).masked_fill(~mask, -torch.inf)


class Mamba2(nn.Module):
    """Mamba-2 (arXiv:2405.21060) with its paper's minimal chunked SSD; one group of B and C."""

    def __init__(self, d, p=32, n=32, taps=4):
        super().__init__()
        self.p, self.n, self.e, self.heads = p, n, 2 * d, 2 * d // p
        self.inp = nn.Linear(d, self.e + 2 * n, bias=False)  # u, B, C
        self.conv = nn.Parameter(torch.empty(self.e + 2 * n, taps).uniform_(-(taps**-0.5), taps**-0.5))
        self.dt = nn.Linear(d, self.heads)
        with torch.no_grad():  # softplus(bias) is log-uniform in [1e-3, 1e-1]
            dt = torch.exp(torch.empty(self.heads).uniform_(math.log(1e-3), math.log(1e-1)))
            self.dt.bias.copy_(torch.log(torch.expm1(dt)))
        self.a_log = nn.Parameter(torch.empty(self.heads).uniform_(1, 16).log())
        self.skip = nn.Parameter(torch.ones(self.heads))
        self.z = nn.Linear(d, self.e, bias=False)
        self.norm = nn.RMSNorm(self.e, eps=1e-6)
        self.out = nn.Linear(self.e, d, bias=False)

    def _project(self, x, conv_state):
        w, conv_state = short_conv(self.inp(x), self.conv, conv_state)
        u, b, c = F.silu(w).split([self.e, self.n, self.n], dim=-1)
        dt = F.softplus(self.dt(x))
        u = u.unflatten(-1, (self.heads, self.p))
        return u, u * dt[..., None], -dt * self.a_log.exp(), b, c, conv_state

    def _finish(self, o, u, x):
        o = (o + self.skip[:, None] * u).flatten(2)
        return self.out(self.norm(o * F.silu(self.z(x))))

    def forward(self, x):
        t = x.shape[1]
        u, v, loga, b, c, _ = self._project(x, None)
        pad = -t % CHUNK
        v = F.pad(v, (0, 0, 0, 0, 0, pad)).unflatten(1, (-1, CHUNK))  # [B,chunk,C,h,p]
        b = F.pad(b, (0, 0, 0, pad)).unflatten(1, (-1, CHUNK))  # [B,chunk,C,n]
        c = F.pad(c, (0, 0, 0, pad)).unflatten(1, (-1, CHUNK))
        loga = F.pad(loga, (0, 0, 0, pad)).unflatten(1, (-1, CHUNK)).permute(0, 3, 1, 2)  # [B,h,chunk,C]
        total = loga.cumsum(-1)
        # 1. inside each chunk
        scores = (c @ b.transpose(-1, -2))[:, None] * segsum(loga).exp()  # [B,h,chunk,C,C]
        vh = v.permute(0, 3, 1, 2, 4)  # [B,h,chunk,C,p]
        o = scores @ vh
        # 2. what each chunk adds to the state
        right = (total[..., -1:] - total).exp()[..., None]
        update = b[:, None].transpose(-1, -2) @ (vh * right)  # [B,h,chunk,n,p]
        # 3. the state before each chunk, by one matmul over chunks
        across = segsum(F.pad(total[..., -1], (1, 0))).exp()  # [B,h,chunk+1,chunk+1]
        states = (across[..., :-1, 1:] @ update.flatten(3)).unflatten(3, (self.n, self.p))
        # 4. what it adds to the outputs
        o = o + (c[:, None] @ states) * total.exp()[..., None]
        return self._finish(o.flatten(2, 3)[:, :, :t].transpose(1, 2), u, x)

    def step(self, x, state):
        conv_state, s = state if state is not None else (None, 0.0)
        u, v, loga, b, c, conv_state = self._project(x, conv_state)
        s = loga[:, 0, :, None, None].exp() * s + b[:, 0, None, :, None] * v[:, 0, :, None, :]
        o = torch.einsum("bn,bhnp->bhp", c[:, 0], s)[:, None]
        return self._finish(o, u, x), (conv_state, s)


class Hyena(nn.Module):
    """Hyena, order 2 (arXiv:2302.10866): gated long convolutions by FFT, kernels from a small MLP."""

    def __init__(self, d, order=2, m=64, bands=8, span=256, taps=3):
        super().__init__()
        self.d, self.order, self.bands, self.span = d, order, bands, span
        self.inp = nn.Linear(d, (1 + order) * d, bias=False)
        bound = taps**-0.5
        self.conv = nn.Parameter(torch.empty((1 + order) * d, taps).uniform_(-bound, bound))
        self.features = nn.Linear(2 * bands, m)
        self.freq = nn.Parameter(torch.full((m,), 10.0))
        self.taps = nn.Linear(m, order * d, bias=False)
        self.decay = nn.Parameter(torch.empty(order, d).uniform_(0.3, 1.5))
        self.out = nn.Linear(d, d, bias=False)

    def _kernels(self, t):
        lag = torch.arange(t)[:, None] / self.span
        angle = 2 * math.pi * torch.arange(self.bands) * lag
        e = torch.cat([angle.cos(), angle.sin()], dim=-1)
        f = self.taps(torch.sin(self.freq * self.features(e))).unflatten(-1, (self.order, self.d))
        return f * torch.exp(-self.decay * lag[..., None])  # [T,order,d]

    def forward(self, x):
        t = x.shape[1]
        w, _ = short_conv(self.inp(x), self.conv)
        v, *gates = w.chunk(1 + self.order, dim=-1)
        f = torch.fft.rfft(self._kernels(t), n=2 * t, dim=0)
        for i, gate in enumerate(gates):
            v = gate * torch.fft.irfft(torch.fft.rfft(v, n=2 * t, dim=1) * f[:, i], n=2 * t, dim=1)[:, :t]
        return self.out(v)


class LSTM(nn.Module):
    """`torch.nn.LSTM` as the mixer; its state is (h, c)."""

    def __init__(self, d):
        super().__init__()
        self.lstm = nn.LSTM(d, d, batch_first=True)

    def forward(self, x):
        return self.lstm(x)[0]

    def step(self, x, state):
        return self.lstm(x, state)


class SwiGLU(nn.Module):
    def __init__(self, d):
        super().__init__()
        m = 64 * math.ceil(d / 24)
        self.up = nn.Linear(d, m, bias=False)
        self.gate = nn.Linear(d, m, bias=False)
        self.down = nn.Linear(m, d, bias=False)

    def forward(self, x):
        return self.down(self.up(x) * F.silu(self.gate(x)))


class ByteLM(nn.Module):
    """tokens [B,T] -> logits [B,T,256]; one mixer class a layer."""

    def __init__(self, mixers, d=128, vocab=256):
        super().__init__()
        self.embed = nn.Parameter(torch.randn(vocab, d) * 0.02)
        self.mix = nn.ModuleList(make(d) for make in mixers)
        self.ffn = nn.ModuleList(SwiGLU(d) for _ in mixers)
        self.norms = nn.ModuleList(nn.RMSNorm(d, eps=1e-6) for _ in range(2 * len(mixers) + 1))

    def forward(self, tokens):
        x = self.embed[tokens]
        for i, (mix, ffn) in enumerate(zip(self.mix, self.ffn)):
            x = x + mix(self.norms[2 * i](x))
            x = x + ffn(self.norms[2 * i + 1](x))
        return self.norms[-1](x) @ self.embed.T

    def has_step(self):
        return all(hasattr(mix, "step") for mix in self.mix)

    def step(self, tokens, states):
        """tokens [B,1], states: one a layer (None at the start) -> logits [B,1,256], states."""
        states = states or [None] * len(self.mix)
        x = self.embed[tokens]
        for i, (mix, ffn) in enumerate(zip(self.mix, self.ffn)):
            y, states[i] = mix.step(self.norms[2 * i](x), states[i])
            x = x + y
            x = x + ffn(self.norms[2 * i + 1](x))
        return self.norms[-1](x) @ self.embed.T, states


MODELS = {
    "attention": [Attention] * 4,
    "gla": [GLA] * 4,
    "mamba2": [Mamba2] * 4,
    "hyena": [Hyena] * 4,
    "lstm": [LSTM] * 4,
    "hybrid": [GLA, Attention] * 2,
}


def make(name, seed=0):
    torch.manual_seed(seed)
    return ByteLM(MODELS[name])
