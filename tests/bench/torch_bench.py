"""Times and trains the six models of torch_models.py on the CPU; prints one JSON line a result.

    python torch_bench.py                               training and generation rates of all six
    python torch_bench.py --models gla lstm --threads 2
    python torch_bench.py --train 300 --models gla      what it reaches in 300 s (--steps N: in N steps)

Training is AdamW on sequences of 256 bytes, 16 a batch; generation is one sequence, one byte at a
time. A rate is the median over steps after a warm-up, so that other work on the machine counts little.
"""

import argparse
import json
import math
import pathlib
import statistics
import time

import numpy as np
import torch
import torch.nn.functional as F

from torch_models import MODELS, make

DATA = pathlib.Path(__file__).resolve().parents[2] / "examples" / "data" / "shakespeare.txt"
LENGTH = 256


def load():
    """The data file as (train, validation): its first 90 % and its last 10 %."""
    data = torch.from_numpy(np.frombuffer(DATA.read_bytes(), dtype=np.uint8).copy()).long()
    cut = len(data) * 9 // 10
    return data[:cut], data[cut:]


def batch(data, rows, generator):
    """(inputs, targets), each [rows, LENGTH], at random places."""
    at = torch.randint(len(data) - LENGTH, (rows, 1), generator=generator) + torch.arange(LENGTH + 1)
    text = data[at]
    return text[:, :-1], text[:, 1:]


def loss_of(model, tokens, targets):
    return F.cross_entropy(model(tokens).flatten(0, 1), targets.flatten())


def optimizer(model, lr):
    """AdamW; weight decay on matrices only, as is usual."""
    matrices = [p for p in model.parameters() if p.ndim >= 2]
    rest = [p for p in model.parameters() if p.ndim < 2]
    groups = [{"params": matrices, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=lr, betas=(0.9, 0.95))


def train_step(model, opt, tokens, targets):
    loss = loss_of(model, tokens, targets)
    opt.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    opt.step()
    return loss.item()


@torch.no_grad()
def validate(model, data, sequences=128):
    """Mean nats a byte over `sequences` evenly spaced sequences, the whole context counted."""
    starts = torch.linspace(0, len(data) - LENGTH - 1, sequences).long()
    text = data[starts[:, None] + torch.arange(LENGTH + 1)]
    losses = [loss_of(model, part[:, :-1], part[:, 1:]).item() for part in text.split(16)]
    return sum(losses) / len(losses)


def time_training(model, data, rows, seconds):
    opt, generator = optimizer(model, 1e-3), torch.Generator().manual_seed(0)
    times, begun = [], time.perf_counter()
    while len(times) < 5 or time.perf_counter() - begun < seconds:
        tokens, targets = batch(data, rows, generator)
        at = time.perf_counter()
        train_step(model, opt, tokens, targets)
        times.append(time.perf_counter() - at)
    return rows * LENGTH / statistics.median(times[2:])


@torch.no_grad()
def time_generation(model, tokens, count):
    """Bytes a second after the prompt `tokens` [1,T]; by steps where every mixer has one."""
    times, states = [], None
    if model.has_step():
        for at in range(tokens.shape[1]):
            logits, states = model.step(tokens[:, at : at + 1], states)
    else:
        logits = model(tokens)
    for _ in range(count):
        at = time.perf_counter()
        last = logits[:, -1].argmax(-1, keepdim=True)
        if model.has_step():
            logits, states = model.step(last, states)
        else:  # no state: run the whole context again
            tokens = torch.cat([tokens, last], dim=1)[:, -LENGTH:]
            logits = model(tokens)
        times.append(time.perf_counter() - at)
    return 1 / statistics.median(times)


def train(model, name, args):
    """Trains for args.train seconds, or args.steps steps; the learning rate follows whichever is set."""
    data, held_out = load()
    opt, generator = optimizer(model, args.lr), torch.Generator().manual_seed(args.seed)
    begun, step, recent = time.perf_counter(), 0, []
    while True:
        used = time.perf_counter() - begun
        done = step / args.steps if args.steps else used / args.train
        if done >= 1:
            break
        rate = args.floor + (1 - args.floor) * (1 + math.cos(math.pi * done)) / 2
        for group in opt.param_groups:
            group["lr"] = args.lr * rate * min(1, (step + 1) / args.warmup)
        recent.append(train_step(model, opt, *batch(data, args.batch, generator)))
        step += 1
        if step % args.every == 0:
            print(json.dumps({"model": name, "step": step, "seconds": round(used, 1),
                              "loss": round(statistics.mean(recent[-50:]), 4)}), flush=True)
    return {"steps": step, "seconds": round(time.perf_counter() - begun, 1),
            "train_loss": round(statistics.mean(recent[-50:]), 4),
            "validation_loss": round(validate(model, held_out), 4)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=10, help="how long each training rate is measured")
    parser.add_argument("--count", type=int, default=128, help="bytes generated for each generation rate")
    parser.add_argument("--train", type=float, default=0, help="train for this many seconds instead")
    parser.add_argument("--steps", type=int, default=0, help="train for this many steps instead")
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--warmup", type=int, default=50)
    parser.add_argument("--floor", type=float, default=0.05, help="last learning rate, as a part of the first")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--every", type=int, default=100, help="steps between progress lines")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    for name in args.models:
        model = make(name, args.seed)
        result = {"model": name, "parameters": sum(p.numel() for p in model.parameters()),
                  "threads": args.threads, "batch": args.batch, "torch": torch.__version__}
        if args.train or args.steps:
            result |= {"lr": args.lr, "warmup": args.warmup} | train(model, name, args)
        else:
            data = load()[0]
            result["train_tokens_per_s"] = round(time_training(model, data, args.batch, args.seconds))
            result["generate_tokens_per_s"] = round(time_generation(model, data[None, :16], args.count), 1)
        print(json.dumps(result), flush=True)


if __name__ == "__main__":
    main()
