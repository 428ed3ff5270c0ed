# pyright: standard, reportPrivateImportUsage=false
"""Sampling that computes the reference's keys and values at the first step only.

Half of the tokens of every step are the reference's, and they change little from step to step: their keys and values of
the first step are used for the others. That is an approximation, because the reference attends to the picture that is
coming about and, in some models, is told the noise level; it is off unless a profile asks for it.

Shapes: B angles, N tokens of a picture, T tokens of the text, H heads of width D.
"""

from collections.abc import Sequence

import torch
from diffusers import QwenImageTransformer2DModel
from diffusers.models.transformers.transformer_qwenimage import compute_text_seq_len_from_mask
from torch import Tensor

from models.attention import Kept
from models.velocity import Tokens


def predict_reusing(transformer: QwenImageTransformer2DModel, tokens: Tokens, kept: Sequence[Kept]) -> Tensor:
    """Return the velocity (B, N, 64): that of `models.velocity.predict` at the first step, and nearly so at the others.

    Args:
        transformer: Prepared by `models.attention.use_real_numbers`.
        tokens: What it is given.
        kept: One for each block, new at the first step.
    """
    num_kept = tokens.latents.shape[1]
    is_first = kept[0].key is None
    hidden = transformer.img_in(torch.cat([tokens.latents, tokens.still], dim=1) if is_first else tokens.latents)
    text = transformer.txt_in(transformer.txt_norm(tokens.states))
    num_words, _, mask = compute_text_seq_len_from_mask(text, tokens.mask)
    shapes = [[(1, *tokens.grid)] * 2]
    turns, text_turns = transformer.pos_embed(shapes, max_txt_seq_len=num_words, device=hidden.device)
    level, is_still = tokens.timestep, None
    if transformer.zero_cond_t:  # the reference is told level 0
        level = torch.cat([level, level * 0])
        is_still = (torch.arange(hidden.shape[1], device=hidden.device) >= num_kept).int().expand(len(hidden), -1)
    embedding = transformer.time_text_embed(level, hidden)
    for block, of_block in zip(transformer.transformer_blocks, kept, strict=True):
        text, hidden = block(
            hidden_states=hidden,
            encoder_hidden_states=text,
            encoder_hidden_states_mask=mask,
            temb=embedding,
            image_rotary_emb=(turns[: hidden.shape[1]], text_turns),
            joint_attention_kwargs={"kept": of_block},
            modulate_index=is_still,
        )
    return transformer.proj_out(transformer.norm_out(hidden, embedding[:1]))[:, :num_kept]
