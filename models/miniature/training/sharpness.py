# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The decoder, taught once more against a patch discriminator, for the sharpness that no difference asks for.

Run `python -m models.miniature.training.sharpness`. The encoder stays as it is, so latents and what was trained on them
stay good, and this can run beside the transformer.

Source: Esser et al. 2021, "Taming Transformers for High-Resolution Image Synthesis"; the hinge loss of Lim and Ye 2017.
"""

from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKLQwenImage
from torch import Tensor, nn
from torch.nn import functional

from models.loading import load_module
from models.miniature.training.autoencoder import (
    BATCH,
    CROP_PX,
    GRADIENT_WEIGHT,
    Stills,
    reconstruction_losses,
    write_vae,
)
from models.miniature.training.latents import open_latents, to_pixels
from models.miniature.training.loop import choose_dtype, train
from models.miniature.training.options import Options, read_options
from models.miniature.training.views import open_shards
from models.vae import decode_still, reduce_to_stills

LEARNING_RATE, JUDGE_LEARNING_RATE = 2e-4, 4e-4
ADVERSARIAL_WEIGHT = 0.1
RAMP_STEPS = 1000
"""The discriminator learns for as long before its whole weight counts."""
CELL_PX = 8


class LatentBatches:
    """Parts of views, as latents (B, 16, H/8, W/8) and as pixels (B, 3, H, W) in [-1, 1]."""

    def __init__(self, data: Path, latents: Path, device: torch.device) -> None:
        """Map the shards that have latents."""
        self._latents, self._pictures, self._device = open_latents(latents), open_shards(data), device

    def __call__(self, number: int) -> tuple[Tensor, Tensor]:
        """Return the batch of a step, always the same for the same step and shards."""
        random = np.random.default_rng((number, 6))
        parts = [self._draw(random) for _ in range(BATCH)]
        latents, pictures = (np.stack(values) for values in zip(*parts, strict=True))
        return torch.from_numpy(latents).to(self._device).float(), to_pixels(pictures, self._device)

    def _draw(self, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        shard = int(random.integers(len(self._latents)))
        scene, view = (int(random.integers(size)) for size in self._latents[shard].shape[:2])
        latents, picture = self._latents[shard][scene, view], self._pictures[shard][scene, view]
        cells = CROP_PX // CELL_PX
        left = int(random.integers(latents.shape[-1] - cells + 1))
        return latents[..., left : left + cells], picture[:, left * CELL_PX : left * CELL_PX + CROP_PX]


class Decoder(nn.Module):
    """The half of an autoencoder that makes pictures, ready to be trained."""

    def __init__(self, vae: AutoencoderKLQwenImage) -> None:
        """Take a `vae` that is reduced to stills; its encoder is not touched."""
        super().__init__()
        self.vae = vae
        vae.requires_grad_(requires_grad=False)
        vae.decoder.requires_grad_(requires_grad=True)
        vae.post_quant_conv.requires_grad_(requires_grad=True)

    def forward(self, latents: Tensor) -> Tensor:
        """Return the pixels (B, 3, H, W) of normalised latents (B, 16, H/8, W/8)."""
        return decode_still(self.vae, latents)


def build_discriminator() -> nn.Module:
    """Return a small patch discriminator: one figure for every 8x8 pixels, each seeing 38x38."""
    layers: list[nn.Module] = []
    for inputs, outputs in ((3, 32), (32, 64), (64, 96)):
        layers += [nn.utils.spectral_norm(nn.Conv2d(inputs, outputs, 4, 2, 1)), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.utils.spectral_norm(nn.Conv2d(96, 1, 3, 1, 1)))


def train_decoder(decoder: Decoder, options: Options) -> Decoder:
    """Train the decoder, or on from its last checkpoint."""
    device = options.device
    batches = LatentBatches(options.data, options.latents, device)
    torch.manual_seed(0)
    judge = build_discriminator().to(device)
    trained = [value for value in decoder.parameters() if value.requires_grad]
    optimizer = torch.optim.AdamW(trained, LEARNING_RATE, betas=(0.5, 0.95), weight_decay=1e-4)
    judging = torch.optim.AdamW(judge.parameters(), JUDGE_LEARNING_RATE, betas=(0.5, 0.95))
    through = torch.compile(decoder) if options.compiled else decoder
    dtype = choose_dtype(device)

    def step(number: int, _: torch.Generator) -> dict[str, Tensor]:
        latents, pixels = batches(number)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            shown = through(latents).float()
            doubt = -judge.requires_grad_(requires_grad=False)(shown).float().mean()
        losses = reconstruction_losses(shown, pixels)
        weight = ADVERSARIAL_WEIGHT * min(1.0, number / RAMP_STEPS)
        (losses["l1"] + GRADIENT_WEIGHT * losses["edges"] + weight * doubt).backward()
        return losses | {"judge": _judge(judge, judging, pixels, shown.detach(), dtype)}

    return train(step, decoder, [optimizer], options.folder, options.num_steps, judge=judge, judging=judging)


def _judge(
    judge: nn.Module, optimizer: torch.optim.Optimizer, real: Tensor, fake: Tensor, dtype: torch.dtype
) -> Tensor:
    """Teach the discriminator once, by the hinge loss, and return that loss."""
    judge.requires_grad_(requires_grad=True)
    with torch.autocast(real.device.type, dtype, enabled=dtype != torch.float32):
        is_real, is_fake = judge(torch.cat((real, fake))).float().chunk(2)
    loss = functional.relu(1 - is_real).mean() + functional.relu(1 + is_fake).mean()
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss


def main() -> None:
    """Train with the settings of the command line."""
    options = read_options(__doc__, part="decoder", num_steps=6000)
    folder = options.weights / "miniature/vae"
    vae = reduce_to_stills(load_module(AutoencoderKLQwenImage, folder, torch.float32))
    train_decoder(Decoder(vae).to(options.device), options)
    write_vae(Stills(vae), vae.config["latents_mean"], vae.config["latents_std"], folder)


if __name__ == "__main__":
    main()
