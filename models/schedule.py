# pyright: standard, reportPrivateImportUsage=false
"""The noise levels of a render, through the library's own scheduler.

ComfyUI reaches the same levels by another order of operations: its `simple` scheduler takes every (1000/8)th of a table
of 1,000 levels that `ModelSamplingAuraFlow` has shifted by 3, where diffusers shifts eight evenly spaced levels by
exp(ln 3) = 3. The shift s * t / (1 + (s - 1) * t) is one and the same, so both give 1, .9545, .9, .8333, .75, .6429,
.5, .3, 0.
"""

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from torch import Tensor

from models.profiles import Profile


def schedule(profile: Profile) -> Tensor:
    """Return the noise levels of a render, num_steps + 1 of them, from 1 to 0."""
    scheduler = FlowMatchEulerDiscreteScheduler(**profile.scheduler.model_dump())
    sigmas = np.linspace(1.0, 1 / profile.num_steps, profile.num_steps).tolist()
    scheduler.set_timesteps(sigmas=sigmas, mu=profile.scheduler.base_shift)
    return torch.as_tensor(scheduler.sigmas)


def timesteps(sigmas: Tensor, dtype: torch.dtype) -> Tensor:
    """Return noise levels as the transformer is given them, rounded as the stock pipeline rounds."""
    return (sigmas * 1000).to(dtype) / 1000
