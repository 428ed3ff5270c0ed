# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The autoencoder, trained on single views as the 2-D network that a still passes through.

Run `python -m models.miniature.training.autoencoder`.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLQwenImage
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from models.miniature.architecture import VAE, build_vae
from models.miniature.training.latents import to_pixels
from models.miniature.training.loop import choose_dtype, train
from models.miniature.training.options import Options, read_options
from models.miniature.training.views import open_shards
from models.vae import reduce_to_stills

BATCH = 4
CROP_PX = 128
"""Width of the part of a view that is learnt from; its height is the whole view's."""
LEARNING_RATE = 6e-4
GRADIENT_WEIGHT = 1.0
PRIOR_WEIGHT = 1e-5


class ViewBatches:
    """Random parts of views as batches (B, 3, H, W) in [-1, 1], half of them mirrored."""

    def __init__(self, folder: Path, device: torch.device) -> None:
        """Map the shards in `folder`; those that appear later are found later."""
        self._folder, self._device, self._shards = folder, device, open_shards(folder)

    def __call__(self, number: int) -> Tensor:
        """Return the batch of a step, always the same for the same step and shards."""
        if number % 500 == 0:
            self._shards = open_shards(self._folder)
        random = np.random.default_rng((number, 2))
        pictures = np.stack([self._draw(random) for _ in range(BATCH)])
        return to_pixels(pictures, self._device)

    def _draw(self, random: np.random.Generator) -> NDArray[np.uint8]:
        shard = self._shards[random.integers(len(self._shards))]
        picture = shard[random.integers(shard.shape[0]), random.integers(shard.shape[1])]
        left = random.integers(picture.shape[1] - CROP_PX + 1)
        picture = picture[:, left : left + CROP_PX]
        return picture[:, ::-1] if random.random() < 0.5 else picture


class Stills(nn.Module):
    """The autoencoder as a still passes through it."""

    def __init__(self, vae: AutoencoderKLQwenImage) -> None:
        """Take a `vae` that is reduced to stills."""
        super().__init__()
        self.vae = vae

    def forward(self, pixels: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return pixels (B, 3, H, W) again, and mean and log variance (B, 16, H/8, W/8) of the posterior."""
        moments = self.vae.quant_conv(self.vae.encoder(pixels.unsqueeze(2)))
        mean, log_variance = moments.chunk(2, dim=1)
        log_variance = log_variance.clamp(-30, 20)
        latents = mean + noise.unsqueeze(2) * torch.exp(0.5 * log_variance)
        return self.vae.decoder(self.vae.post_quant_conv(latents))[:, :, 0], mean, log_variance


def gradients(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Return the differences of neighbours, across and down."""
    return pixels[..., 1:] - pixels[..., :-1], pixels[..., 1:, :] - pixels[..., :-1, :]


def reconstruction_losses(shown: Tensor, pixels: Tensor) -> dict[str, Tensor]:
    """Return how far pixels, and the differences of neighbours at three scales, are from the truth."""
    edges = torch.zeros((), device=pixels.device)
    a, b = shown, pixels
    for _ in range(3):
        edges = edges + sum(functional.l1_loss(x, y) for x, y in zip(gradients(a), gradients(b), strict=True))
        a, b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
    return {"l1": functional.l1_loss(shown, pixels), "edges": edges}


def train_vae(options: Options) -> Stills:
    """Train an autoencoder from a seed, or on from its last checkpoint."""
    torch.manual_seed(0)
    stills = Stills(reduce_to_stills(build_vae()).requires_grad_(requires_grad=True)).to(options.device)
    optimizer = torch.optim.AdamW(stills.parameters(), LEARNING_RATE, betas=(0.9, 0.99), weight_decay=1e-4)
    batches, dtype = ViewBatches(options.data, options.device), choose_dtype(options.device)
    through = torch.compile(stills) if options.compiled else stills

    def step(number: int, generator: torch.Generator) -> dict[str, Tensor]:
        pixels = batches(number)
        shape = (BATCH, 16, pixels.shape[2] // 8, pixels.shape[3] // 8)
        noise = torch.randn(shape, generator=generator).to(options.device)
        with torch.autocast(options.device.type, dtype, enabled=dtype != torch.float32):
            shown, mean, log_variance = through(pixels, noise)
        mean, log_variance = mean.float(), log_variance.float()
        losses = reconstruction_losses(shown.float(), pixels)
        losses["prior"] = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        (losses["l1"] + GRADIENT_WEIGHT * losses["edges"] + PRIOR_WEIGHT * losses["prior"]).backward()
        return losses

    return train(step, stills, [optimizer], options.folder, options.num_steps)


@torch.inference_mode()
def measure_latents(stills: Stills, batches: ViewBatches, num_batches: int = 64) -> tuple[list[float], list[float]]:
    """Return mean and standard deviation of each latent channel over views."""
    means = [stills.vae.quant_conv(stills.vae.encoder(batches(n).unsqueeze(2)))[:, :16] for n in range(num_batches)]
    values = torch.cat(means).transpose(0, 1).flatten(1).float()
    return values.mean(dim=1).tolist(), values.std(dim=1).tolist()


def write_vae(stills: Stills, mean: list[float], std: list[float], folder: Path) -> None:
    """Write the autoencoder in its own class's format; the taps that a still never meets are zero."""
    vae = AutoencoderKLQwenImage(**VAE, latents_mean=mean, latents_std=std)
    trained = stills.vae.state_dict()
    state = {}
    for name, value in vae.state_dict().items():
        flat = trained[name].detach().cpu()
        state[name] = flat if flat.ndim == value.ndim else torch.zeros_like(value)
        if flat.ndim != value.ndim:
            state[name][:, :, -1] = flat
    vae.load_state_dict(state)
    nn.Module.to(vae, torch.bfloat16).save_pretrained(folder)


def main() -> None:
    """Train with the settings of the command line."""
    options = read_options(__doc__, part="vae", num_steps=20000)
    stills = train_vae(options)
    mean, std = measure_latents(stills, ViewBatches(options.data, options.device))
    write_vae(stills, mean, std, options.weights / "miniature/vae")


if __name__ == "__main__":
    main()
