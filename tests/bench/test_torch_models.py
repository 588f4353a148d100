"""Each model's steps must give what its parallel form gives, and no model may look ahead."""

import torch

from torch_models import MODELS, make


@torch.no_grad()
def check(name):
    model = make(name).double()
    tokens = torch.randint(256, (2, 75), generator=torch.Generator().manual_seed(1))
    whole = model(tokens)
    part = model(tokens[:, :40])
    assert torch.allclose(whole[:, :40], part, atol=1e-9), f"{name} looks ahead"
    if not model.has_step():
        return
    states, outs = None, []
    for t in range(tokens.shape[1]):
        logits, states = model.step(tokens[:, t : t + 1], states)
        outs.append(logits)
    assert torch.allclose(whole, torch.cat(outs, 1), atol=1e-6), f"{name}: steps differ from the whole"


if __name__ == "__main__":
    # The angles of `rope` and Hyena's features follow the default dtype.
    torch.set_default_dtype(torch.float64)
    for name in MODELS:
        check(name)
        print(f"{name}: ok")
