# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""What the transformer learns from: a master, a text, and the view that the text asks for, all encoded."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from transformers import DynamicCache, Qwen2_5_VLForConditionalGeneration, Qwen2VLProcessor

from models.camera import Pose
from models.miniature.training.language import condition_raster
from models.miniature.training.latents import open_latents
from models.miniature.training.loop import choose_dtype
from models.miniature.training.views import SCENES_PER_SHARD, open_shards, training_poses, training_seed
from models.stages import pack
from models.template import PREFIX, SYSTEM, suffix

SCENES_PER_BATCH = 4
TEXT_MULTIPLE = 16
"""Texts are padded to a multiple of this: few shapes, each compiled once."""

Wording = Callable[[Pose], str]
"""How a pose is put into words."""


@dataclass(frozen=True, kw_only=True)
class Pairs:
    """One batch; N tokens of a picture, L of a text."""

    views: Tensor
    """(B, N, 64) latents of the views asked for."""
    masters: Tensor
    """(B, N, 64)"""
    states: Tensor
    """(B, L, D) of the text encoder, zero behind the end of a text."""
    mask: Tensor
    """(B, L)"""
    grid: tuple[int, int]


class PairBatches:
    """Batches of all views of a few scenes; the same for the same step."""

    def __init__(
        self,
        data: Path,
        latents: Path,
        processor: Qwen2VLProcessor,
        text_encoder: Qwen2_5_VLForConditionalGeneration,
        wordings: Sequence[Wording],
        told: dict[tuple[int, int], tuple[Tensor, Tensor]],
    ) -> None:
        """Take the encoded shards, the ways to put poses into words, and a place for texts of scenes once encoded."""
        self._latents, self._pictures = open_latents(latents), open_shards(data)
        self._processor, self._text_encoder, self._wordings = processor, text_encoder, wordings
        self._told = told

    def __call__(self, number: int) -> tuple[Pairs, ...]:
        """Return the batch of a step, told in each of the wordings."""
        random = np.random.default_rng((number, 4))
        num_shards = len(self._latents)
        return self.read(
            [
                (int(random.integers(num_shards)), int(random.integers(SCENES_PER_SHARD)))
                for _ in range(SCENES_PER_BATCH)
            ]
        )

    def read(self, chosen: Sequence[tuple[int, int]]) -> tuple[Pairs, ...]:
        """Return all views of scenes, each given by its shard and its place there; the same told in each wording."""
        latents = torch.from_numpy(np.stack([self._latents[shard][place] for shard, place in chosen])).float()
        latents = latents.to(self._text_encoder.device)
        rows, columns = latents.shape[-2] // 2, latents.shape[-1] // 2
        num_views = latents.shape[1] - 1
        views = pack(latents[:, 1:].flatten(0, 1))
        masters = pack(latents[:, 0]).repeat_interleave(num_views, dim=0)
        states, masks = (_join(each) for each in zip(*(self._tell(*scene) for scene in chosen), strict=True))
        return tuple(
            Pairs(views=views, masters=masters, states=told.float(), mask=mask, grid=(rows, columns))
            for told, mask in zip(states, masks, strict=True)
        )

    def _tell(self, shard: int, place: int) -> tuple[Tensor, Tensor]:
        """Return states (W, V, L, D) and mask (W, V, L) of a scene in W wordings; encoded at first use and kept."""
        if (shard, place) not in self._told:
            poses = training_poses(training_seed(shard * SCENES_PER_SHARD + place))[1:]
            master = Image.fromarray(self._pictures[shard][place, 0])
            prompts = [wording(pose) for wording in self._wordings for pose in poses]
            states, mask = encode_texts(self._processor, self._text_encoder, [master], prompts)
            by_wording = (len(self._wordings), len(poses))
            self._told[shard, place] = states.half().unflatten(0, by_wording), mask.unflatten(0, by_wording)
        return self._told[shard, place]


def _join(scenes: Iterable[Tensor]) -> Tensor:
    """Return texts (W, B, L, ...) of scenes (W, V, L, ...), filled with zeros to the longest."""
    texts = pad_sequence([scene.movedim(2, 0) for scene in scenes], batch_first=True)
    return texts.movedim((2, 0, 3, 1), (0, 1, 2, 3)).flatten(1, 2)


@torch.no_grad()
def encode_texts(
    processor: Qwen2VLProcessor,
    text_encoder: Qwen2_5_VLForConditionalGeneration,
    masters: list[Image.Image],
    prompts: list[str],
) -> tuple[Tensor, Tensor]:
    """Return states and mask of `prompts`, an equal number for each of `masters`, as `models.stages` encodes them."""
    device = text_encoder.device
    seen = [condition_raster(master) for master in masters]
    inputs = processor(text=[PREFIX] * len(masters), images=seen, return_tensors="pt")
    inputs.pop("mm_token_type_ids", None)
    cache = DynamicCache(config=text_encoder.config)
    tokens = processor.tokenizer(
        [suffix(prompt) for prompt in prompts], padding=True, pad_to_multiple_of=TEXT_MULTIPLE, return_tensors="pt"
    ).to(device)
    dtype = choose_dtype(device)
    with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
        prefix = text_encoder.model(**inputs.to(device), past_key_values=cache, use_cache=True).last_hidden_state
        cache.batch_repeat_interleave(len(prompts) // len(masters))
        states = text_encoder.model.language_model(
            input_ids=tokens.input_ids, past_key_values=cache, use_cache=True
        ).last_hidden_state
    num_hidden = len(processor.tokenizer(SYSTEM).input_ids)
    prefix = prefix[:, num_hidden:].repeat_interleave(len(prompts) // len(masters), dim=0)
    is_word = tokens.attention_mask.bool()
    mask = torch.cat([is_word.new_ones(prefix.shape[:2]), is_word], dim=1)
    return torch.cat([prefix, states * is_word.unsqueeze(-1)], dim=1).float(), mask
