# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The views of shards as the finished model leaves them: noised part of the way, and sampled back to a picture.

They show what the views show, and are as soft as what the sampler makes: the decoder learns from them to sharpen. Run
`python -m models.miniature.training.samples`; shards that are sampled already are not sampled again.

Source: Meng et al. 2022, "SDEdit: Guided Image Synthesis and Editing with Stochastic Differential Equations".
"""

import numpy as np
import torch
from diffusers import QwenImageTransformer2DModel
from numpy.typing import NDArray
from rich.progress import track
from torch import Tensor

from models.miniature.training.angles import say_in_dialect
from models.miniature.training.latents import latents_path
from models.miniature.training.options import read_options
from models.miniature.training.pairs import SCENES_PER_BATCH, PairBatches, Pairs
from models.miniature.training.transformer import open_frozen, open_pairs, predict_velocity, walk
from models.miniature.training.views import SCENES_PER_SHARD, save_shard
from models.profiles import MINIATURE
from models.schedule import schedule
from models.stages import unpack

STEPS_MADE = (3, 2, 1)
"""Of the schedule; from above these noise levels the model would invent other things than the views show."""


def sample_back(
    transformer: QwenImageTransformer2DModel, pairs: Pairs, num_steps: int, generator: torch.Generator
) -> Tensor:
    """Return the views (B, N, 64) noised, and sampled back by the last `num_steps` steps of the schedule."""
    levels = [level.expand(len(pairs.views)) for level in schedule(MINIATURE)[-num_steps - 1 :].to(pairs.views.device)]
    noise = torch.randn(pairs.views.shape, generator=generator).to(pairs.views.device)
    noisy = torch.lerp(pairs.views, noise, levels[0].view(-1, 1, 1))
    return walk(lambda latents, sigmas: predict_velocity(transformer, latents, sigmas, pairs), noisy, levels)


def sample_shard(transformer: QwenImageTransformer2DModel, batches: PairBatches, number: int) -> NDArray[np.float16]:
    """Return the latents of a shard (scenes, views, 16, H/8, W/8): masters as they were, all other views sampled."""
    generator = torch.Generator().manual_seed(number)
    parts: list[Tensor] = []
    for turn, first in enumerate(range(0, SCENES_PER_SHARD, SCENES_PER_BATCH)):
        places = range(first, min(first + SCENES_PER_BATCH, SCENES_PER_SHARD))
        (pairs,) = batches.read([(number, place) for place in places])
        sampled = sample_back(transformer, pairs, STEPS_MADE[turn % len(STEPS_MADE)], generator)
        views, masters = (unpack(part, pairs.grid).unflatten(0, (len(places), -1)) for part in (sampled, pairs.masters))
        parts.append(torch.cat([masters[:, :1], views], dim=1))
    return torch.cat(parts).half().cpu().numpy()


def main() -> None:
    """Sample with the settings of the command line; a step is a shard."""
    options = read_options(__doc__, part="sampled", num_steps=32)
    transformer = open_frozen(options, MINIATURE.loras)
    batches = open_pairs(options, say_in_dialect)(options.latents)
    options.folder.mkdir(parents=True, exist_ok=True)
    for number in track(range(options.num_steps), description="Sampling shards"):
        path = latents_path(options.folder, number)
        if not path.exists():
            save_shard(path, sample_shard(transformer, batches, number))


if __name__ == "__main__":
    main()
