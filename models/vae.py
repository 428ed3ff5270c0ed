# pyright: standard, reportPrivateImportUsage=false
"""The video autoencoder of Qwen-Image on a single still, as 2-D convolutions.

`AutoencoderKLQwenImage` pads every causal convolution with empty frames. With one frame and no cache, only the last
temporal tap of each kernel ever meets a pixel, so the layer is exactly a 2-D convolution with `weight[:, :, -1]`.
"""

import torch
from diffusers import AutoencoderKLQwenImage
from diffusers.models.autoencoders.autoencoder_kl_qwenimage import QwenImageCausalConv3d
from torch import Tensor, nn
from torch.nn import functional


class StillConv(nn.Module):
    """A causal 3-D convolution as one still sees it."""

    def __init__(self, conv: QwenImageCausalConv3d) -> None:
        """Take the last temporal tap of `conv`; the other taps are dropped."""
        super().__init__()
        self.weight = nn.Parameter(conv.weight.detach()[:, :, -1].contiguous(), requires_grad=False)
        self.bias = conv.bias
        self.stride: tuple[int, ...] = conv.stride[1:]
        left, _, top, *_ = conv._padding  # noqa: SLF001 - the class keeps its spatial padding nowhere else
        self.padding: tuple[int, ...] = (int(top), int(left))

    def forward(self, frames: Tensor, cache: Tensor | None = None) -> Tensor:
        """Convolve the one frame of `frames` (B, C, 1, H, W)."""
        if cache is not None or frames.shape[2] != 1:
            msg = f"A still has one frame and no cache, not {tuple(frames.shape)}"
            raise ValueError(msg)
        return functional.conv2d(frames[:, :, 0], self.weight, self.bias, self.stride, self.padding).unsqueeze(2)


def reduce_to_stills(vae: AutoencoderKLQwenImage) -> AutoencoderKLQwenImage:
    """Replace, in place, every causal convolution of `vae` by its 2-D form; only stills pass through it afterwards."""
    for module in list(vae.modules()):
        for name, child in module.named_children():
            if isinstance(child, QwenImageCausalConv3d):
                setattr(module, name, StillConv(child))
    return vae


def encode_still(vae: AutoencoderKLQwenImage, pixels: Tensor) -> Tensor:
    """Return the normalised latents (B, 16, H/8, W/8) of `pixels` (B, 3, H, W) in [-1, 1]: the posterior's mode."""
    moments = vae.quant_conv(vae.encoder(pixels.unsqueeze(2)))
    mean, std = _statistics(vae, pixels)
    return (moments.chunk(2, dim=1)[0][:, :, 0] - mean) / std


def decode_still(vae: AutoencoderKLQwenImage, latents: Tensor) -> Tensor:
    """Return the pixels (B, 3, H, W) in [-1, 1] of normalised `latents` (B, 16, H/8, W/8)."""
    mean, std = _statistics(vae, latents)
    frames = vae.decoder(vae.post_quant_conv((latents * std + mean).unsqueeze(2)))
    return frames[:, :, 0].clamp(-1, 1)


def _statistics(vae: AutoencoderKLQwenImage, like: Tensor) -> tuple[Tensor, Tensor]:
    mean, std = (
        torch.tensor(values, dtype=like.dtype, device=like.device).view(1, -1, 1, 1)
        for values in (vae.config["latents_mean"], vae.config["latents_std"])
    )
    return mean, std
