"""The weights of the reader of digits, trained from drawn pages alone. Needs PyTorch, which the program itself does not.

    python -m benchmarks.train_digit_reader FONTS... --cache /tmp/pages --out digits.npz

Pages 0, 1, 2, ... are drawn with the faces under FONTS (`digit_pages`), those of held-out families left out; the seed of the
weights is 7. Training is AdamW with one cycle of the learning rate and the CTC loss (Graves et al. 2006,
doi:10.1145/1143844.1143891): 5 rounds of 1,400 pages, about half an hour of one processor. What comes out is float16, batch norms
folded into the layers before them. `--measure 40` compares with PP-OCR on pages of held-out faces and needs no PyTorch.
"""

import argparse
import warnings
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import numpy as np

from benchmarks.digit_pages import faces, page, weights
from metagrove.figures.writing.digits import SIGNS
from metagrove.figures.writing.strips import strip

SEED = 7
BATCH = 64
SHARD = 50
RATE = 3e-3
_PATHS = []


def shard(job):
    """Pages `first` to `first + SHARD` as one file."""
    target, first, folders, held_out = job
    if target.exists():
        return target
    warnings.simplefilter("ignore")
    paths = faces(folders, held_out=held_out)
    chances = weights(paths)
    samples = [s for seed in range(first, first + SHARD) for s in page(seed, paths, chances)]
    wide = np.array([s.strip.shape[1] for s in samples])
    flat = np.concatenate([s.strip.ravel() for s in samples])
    text, size = np.array([s.text for s in samples]), np.array([s.size for s in samples])
    part = target.with_suffix(".part.npz")
    damage, face = np.array([s.damage for s in samples]), np.array([s.face for s in samples])
    np.savez_compressed(part, flat=flat, wide=wide, text=text, size=size, damage=damage, face=face)
    part.rename(target)
    return target


def loaded(path):
    """The strips, texts and heights of a shard."""
    with np.load(path) as held:
        ends = np.cumsum(held["wide"] * 24)
        parts = np.split(held["flat"], ends[:-1])
        strips = [p.reshape(24, -1) for p in parts]
        return strips, held["text"].tolist(), held["size"].tolist(), held["damage"].tolist(), held["face"].tolist()


def drawn(folders, pages, cache, *, first=0, held_out=False, jobs=2):
    cache.mkdir(parents=True, exist_ok=True)
    tag = "held" if held_out else "train"
    work = [(cache / f"{tag}-{k:05d}.npz", k, folders, held_out) for k in range(first, first + pages, SHARD)]
    with ProcessPoolExecutor(jobs) as pool:
        return list(pool.map(shard, work))


def network():
    from torch import nn

    def block(a, b):
        return [nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU()]

    return nn.Sequential(
        *block(1, 24), nn.MaxPool2d(2),
        *block(24, 48), nn.MaxPool2d((2, 1)),
        *block(48, 64), nn.MaxPool2d((2, 1)),
        *block(64, 96),
        nn.Conv2d(96, 128, 3, padding=(0, 1), bias=False), nn.BatchNorm2d(128), nn.ReLU(),
        nn.Conv2d(128, 128, (1, 5), padding=(0, 2), bias=False), nn.BatchNorm2d(128), nn.ReLU(),
        nn.Conv2d(128, len(SIGNS) + 1, 1),
    )  # fmt: skip


def batches(strips, texts, rng):
    """Batches of similar width in a random order, each strip a little altered."""
    import torch

    order = np.argsort([s.shape[1] + rng.uniform(-8, 8) for s in strips])
    groups = [order[k : k + BATCH] for k in range(0, len(order), BATCH)]
    for g in rng.permutation(len(groups)):
        own = groups[g]
        wide = max(strips[i].shape[1] for i in own)
        wide += wide % 2
        block = np.zeros((len(own), 1, 24, wide), np.float32)
        frames, labels, lengths = [], [], []
        for k, i in enumerate(own):
            block[k, 0, :, : strips[i].shape[1]] = altered(strips[i].astype(np.float32) / 255, rng)
            frames.append(-(-strips[i].shape[1] // 2))
            labels += [SIGNS.index(c) + 1 for c in texts[i]]
            lengths.append(len(texts[i]))
        yield torch.from_numpy(block), torch.tensor(frames), torch.tensor(labels), torch.tensor(lengths)


def altered(strip, rng):
    """The strip a little darker or paler, moved by parts of a pixel, higher or lower, with noise, now and then."""
    import cv2

    if rng.random() < 0.4:
        strip = strip ** rng.uniform(0.7, 1.5)
    if rng.random() < 0.6:
        tall, wide = rng.uniform(0.94, 1.06), rng.uniform(0.95, 1.05)
        middle = (strip.shape[1] - 1) / 2, (strip.shape[0] - 1) / 2
        off = rng.uniform(-0.8, 0.8, 2)
        move = np.array([[wide, 0, (1 - wide) * middle[0] + off[0]], [0, tall, (1 - tall) * middle[1] + off[1]]])
        strip = cv2.warpAffine(strip, move, strip.shape[::-1], flags=cv2.INTER_LINEAR)
    if rng.random() < 0.15:
        strip = np.clip(strip + rng.normal(0, 0.06, strip.shape).astype(np.float32), 0, 1)
    return strip


def fitted(files, epochs):
    """The trained network."""
    import torch

    torch.manual_seed(SEED)
    torch.set_num_threads(1)
    rng = np.random.default_rng(SEED)
    net = network().to(memory_format=torch.channels_last)
    data = [loaded(f)[:2] for f in files]
    strips, texts = [s for d in data for s in d[0]], [t for d in data for t in d[1]]
    keep = [i for i, s in enumerate(strips) if s.shape[1] <= 260 and texts[i]]
    strips, texts = [strips[i] for i in keep], [texts[i] for i in keep]
    steps = epochs * -(-len(strips) // BATCH)
    best = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-4)
    plan = torch.optim.lr_scheduler.OneCycleLR(best, RATE, total_steps=steps + 1, pct_start=0.08)
    loss = torch.nn.CTCLoss(zero_infinity=True)
    print(len(strips), "strips", steps, "steps", flush=True)
    for epoch in range(epochs):
        total, count = 0.0, 0
        for block, frames, labels, lengths in batches(strips, texts, rng):
            scores = net(block.contiguous(memory_format=torch.channels_last)).squeeze(2).permute(2, 0, 1).log_softmax(2)
            value = loss(scores, labels, frames, lengths)
            best.zero_grad()
            value.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 5.0)
            best.step()
            plan.step()
            total, count = total + float(value), count + 1
            if count % 200 == 0:
                print(epoch, count, round(total / count, 4), flush=True)
        print("epoch", epoch, round(total / count, 4), flush=True)
    return net.eval()


def folded(net):
    """Kernels and biases of the layers in order, batch norms folded in, float16."""
    from torch import nn

    out, layers = {}, list(net)
    convolutions = [k for k, layer in enumerate(layers) if isinstance(layer, nn.Conv2d)]
    for n, k in enumerate(convolutions):
        kernel = layers[k].weight.detach().numpy()
        bias = layers[k].bias.detach().numpy() if layers[k].bias is not None else np.zeros(len(kernel), np.float32)
        if k + 1 < len(layers) and isinstance(layers[k + 1], nn.BatchNorm2d):
            norm = layers[k + 1]
            gain = (norm.weight / (norm.running_var + norm.eps).sqrt()).detach().numpy()
            kernel = kernel * gain[:, None, None, None]
            bias = (bias - norm.running_mean.numpy()) * gain + norm.bias.detach().numpy()
        out[f"kernel{n}"], out[f"bias{n}"] = kernel.astype(np.float16), bias.astype(np.float16)
    return out


BANDS = ((4, 6), (7, 8), (9, 12), (13, 40))


def measured(job):
    """For a page of held-out faces: height, whether each reader is right, whether they agree, its probability."""
    from metagrove.figures.writing.digits import read_digits
    from metagrove.figures.writing.lettering import TextBox
    from metagrove.figures.writing.ocr import _crop, _read, _reader, _signs

    seed, folders = job
    warnings.simplefilter("ignore")
    paths = faces(folders, held_out=True)

    def both(ink, box):
        return strip(ink, box), _crop(ink, TextBox(box, 0, (box,)))

    samples = [s for s in page(seed, paths, weights(paths), cut=both) if s.text.isdigit()]
    own = read_digits([s.strip[0] for s in samples])
    other = [_signs(figures) for _, figures, _ in _read(_reader(1), [s.strip[1] for s in samples])]
    return [
        (s.size, r.text == s.text, o == s.text, r.text == o, r.probability)
        for s, r, o in zip(samples, own, other, strict=True)
    ]


def measure(folders, pages):
    """How exactly counts in held-out faces are read, by height, and how often both readers agree and are wrong."""
    with ProcessPoolExecutor(2) as pool:
        rows = [r for page in pool.map(measured, [(200_000 + k, folders) for k in range(pages)]) for r in page]
    size, own, other, alike, chance = (np.array(v) for v in zip(*rows, strict=True))
    print("pixels   counts  own reader  PP-OCR  agree and own > .8  of these wrong")
    for low, high in (*BANDS, (4, 40)):
        band = (size >= low) & (size <= high)
        sure = band & alike & (chance > 0.8)
        n = max(band.sum(), 1)
        print(
            f"{low:>2} to {high:<3} {band.sum():>6} {own[band].sum() / n:>10.2%} {other[band].sum() / n:>8.2%}"
            f" {sure.sum() / n:>12.1%} {(sure & ~own).sum():>14}"
        )
    return rows


def main():
    ask = argparse.ArgumentParser(description=__doc__)
    ask.add_argument("fonts", nargs="+")
    ask.add_argument("--pages", type=int, default=1400)
    ask.add_argument("--epochs", type=int, default=5)
    ask.add_argument("--cache", type=Path)
    ask.add_argument("--out", type=Path)
    ask.add_argument("--measure", type=int, default=0, help="only measure, on so many pages of held-out faces")
    told = ask.parse_args()
    if told.measure:
        measure(told.fonts, told.measure)
        return
    net = fitted(drawn(told.fonts, told.pages, told.cache), told.epochs)
    np.savez_compressed(told.out, **folded(net))


if __name__ == "__main__":
    main()
