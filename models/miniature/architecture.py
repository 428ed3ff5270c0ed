# pyright: standard, reportPrivateImportUsage=false
"""Sizes of the miniature: the classes of the real model, a few million parameters each.

Together with its LoRAs and its CLIP model it stays under 64 MB in bfloat16.
"""

from typing import Any

import open_clip
from diffusers import AutoencoderKLQwenImage, QwenImageTransformer2DModel
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer

_HIDDEN_SIZE = 256

TRANSFORMER: dict[str, Any] = {
    "patch_size": 2,
    "in_channels": 64,
    "out_channels": 16,
    "num_layers": 6,
    "attention_head_dim": 64,
    "num_attention_heads": 4,
    "joint_attention_dim": _HIDDEN_SIZE,
    "axes_dims_rope": (16, 24, 24),
}

VAE: dict[str, Any] = {"base_dim": 24, "z_dim": 16, "num_res_blocks": 1}

TEXT: dict[str, Any] = {
    "hidden_size": _HIDDEN_SIZE,
    "intermediate_size": 640,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [8, 12, 12]},
    "tie_word_embeddings": True,
}

VISION: dict[str, Any] = {
    "depth": 4,
    "hidden_size": 128,
    "intermediate_size": 384,
    "num_heads": 4,
    "out_hidden_size": _HIDDEN_SIZE,
    "fullatt_block_indexes": [1, 3],
}

CLIP: dict[str, Any] = {
    "embed_dim": 128,
    "vision_cfg": {"image_size": 112, "patch_size": 16, "width": 128, "layers": 4, "head_width": 64},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


def build_transformer() -> QwenImageTransformer2DModel:
    """Return a transformer with fresh weights from torch's global generator."""
    return QwenImageTransformer2DModel(**TRANSFORMER)


def build_vae() -> AutoencoderKLQwenImage:
    """Return an autoencoder with fresh weights from torch's global generator."""
    return AutoencoderKLQwenImage(**VAE)


def build_text_encoder(tokenizer: Qwen2Tokenizer) -> Qwen2_5_VLForConditionalGeneration:
    """Return a text encoder for the vocabulary of `tokenizer`, with fresh weights from torch's global generator."""
    identities = tokenizer.get_vocab()
    text = TEXT | {
        "vocab_size": len(tokenizer),
        "bos_token_id": identities["<|endoftext|>"],
        "eos_token_id": identities["<|im_end|>"],
    }
    config = Qwen2_5_VLConfig(
        text_config=text,
        vision_config=VISION,
        tie_word_embeddings=True,
        **vision_tokens(tokenizer),
    )
    return Qwen2_5_VLForConditionalGeneration(config)


def vision_tokens(tokenizer: Qwen2Tokenizer) -> dict[str, Any]:
    """Return which tokens of a tokenizer stand for pictures and films, in the words of a text encoder's settings."""
    identities = tokenizer.get_vocab()
    return {
        "image_token_id": identities["<|image_pad|>"],
        "video_token_id": identities["<|video_pad|>"],
        "vision_start_token_id": identities["<|vision_start|>"],
        "vision_end_token_id": identities["<|vision_end|>"],
    }


def build_clip() -> open_clip.CLIP:
    """Return an open_clip model with fresh weights from torch's global generator."""
    return open_clip.CLIP(**CLIP)
