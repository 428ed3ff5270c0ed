# pyright: standard, reportPrivateImportUsage=false
"""What is done once to a transformer whose LoRAs are fused, so that every step is quicker.

The modulation of the schedule's levels is precomputed, which changes no bit. Linear layers in 8 bits and the reuse of
the reference are a profile's choice. The back end of attention and compilation are what the machine has to offer.
"""

import torch
from diffusers import QwenImageTransformer2DModel

from models.attention import use_real_numbers
from models.fp8 import quantise_linears
from models.modulation import precompute_modulation
from models.profiles import Profile
from models.schedule import schedule, timesteps


def prepare_transformer(
    transformer: QwenImageTransformer2DModel, profile: Profile, device: torch.device | None = None
) -> QwenImageTransformer2DModel:
    """Do, in place, all that `profile` fixes.

    Args:
        transformer: Its LoRAs are fused; its tensors may be without contents, if only their bytes are to be counted.
        profile: Says what to do.
        device: Where it will compute; it stays where it lies, one layer at a time goes there to be prepared.
    """
    dtype = getattr(torch, profile.dtype)
    precompute_modulation(transformer, timesteps(schedule(profile)[:-1], dtype), device)
    if profile.arithmetic.linears == "fp8":
        quantise_linears(transformer.transformer_blocks, device)
    if profile.arithmetic.reuses_reference:
        use_real_numbers(transformer)
    return transformer
