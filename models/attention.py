# pyright: standard, reportPrivateImportUsage=false
"""The attention of a block in a form that compiles, and that can reuse a reference; and the quickest back end for it.

The library turns queries and keys by complex numbers, of which torch's compiler makes no code. In real numbers it does.

Shapes: B angles, N tokens of a picture, T tokens of the text, S of either, H heads of width D.
"""

from dataclasses import dataclass
from typing import Any

import torch
from diffusers import QwenImageTransformer2DModel
from diffusers.models.attention_dispatch import AttentionBackendName, dispatch_attention_fn
from diffusers.models.attention_processor import Attention
from diffusers.models.transformers.transformer_qwenimage import QwenDoubleStreamAttnProcessor2_0
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, _sdpa_kernel


@dataclass(kw_only=True)
class Kept:
    """What one block keeps of the reference: keys and values (B, N, H, D), None before the first step."""

    key: Tensor | None = None
    value: Tensor | None = None

    def complete(self, key: Tensor, value: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values (B, 2 N, H, D) of both pictures, those of the reference being the first that came."""
        if self.key is None or self.value is None:
            self.key, self.value = (x[:, x.shape[1] // 2 :].clone() for x in (key, value))
            return key, value
        return torch.cat([key, self.key], dim=1), torch.cat([value, self.value], dim=1)


class RealProcessor(QwenDoubleStreamAttnProcessor2_0):
    """The attention of a block in real numbers; given a `Kept`, it keeps the reference's keys and values."""

    def __call__(  # noqa: PLR0913 # pyright: ignore[reportIncompatibleMethodOverride] - the library's call
        self,
        attn: Any,  # noqa: ANN401 - of the library, with parts that may be absent from others
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        encoder_hidden_states_mask: Tensor | None = None,
        attention_mask: None = None,  # noqa: ARG002 - what the library calls every processor with
        *,
        image_rotary_emb: tuple[Tensor, Tensor],
        kept: Kept | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Return what the picture (B, N or 2 N, H D) and the text (B, T, H D) get from each other."""
        picture_turns, text_turns = image_rotary_emb
        query, key, value = (_heads(attn, name, hidden_states) for name in ("to_q", "to_k", "to_v"))
        text_query, text_key, text_value = (
            _heads(attn, name, encoder_hidden_states) for name in ("add_q_proj", "add_k_proj", "add_v_proj")
        )
        query, key = rotate(attn.norm_q(query), picture_turns), rotate(attn.norm_k(key), picture_turns)
        text_query = rotate(attn.norm_added_q(text_query), text_turns)
        text_key = rotate(attn.norm_added_k(text_key), text_turns)
        if kept is not None:
            key, value = kept.complete(key, value)
        mask = encoder_hidden_states_mask
        if mask is not None:
            mask = torch.cat([mask, mask.new_ones(key.shape[:2])], dim=1)[:, None, None, :]
        mixed = dispatch_attention_fn(
            torch.cat([text_query, query], dim=1),
            torch.cat([text_key, key], dim=1),
            torch.cat([text_value, value], dim=1),
            attn_mask=mask,
            backend=self._attention_backend,
        )
        mixed = mixed.flatten(2, 3).to(query.dtype)
        num_words = encoder_hidden_states.shape[1]
        return attn.to_out[0](mixed[:, num_words:].contiguous()), attn.to_add_out(mixed[:, :num_words].contiguous())


def _heads(attn: Attention, layer: str, tokens: Tensor) -> Tensor:
    return getattr(attn, layer)(tokens).unflatten(-1, (attn.heads, -1))


def rotate(x: Tensor, turns: Tensor) -> Tensor:
    """Turn queries or keys (B, S, H, D) by rotary embeddings (S, D/2, 2), cosine and sine, as the library does."""
    cos, sin = turns[:, None].unbind(-1)
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack((a * cos - b * sin, a * sin + b * cos), dim=-1).flatten(-2).type_as(x)


class RealEmbedding(nn.Module):
    """The rotary embeddings of the library as real numbers: cosine and sine."""

    def __init__(self, embedding: nn.Module) -> None:
        """Take the library's."""
        super().__init__()
        self.complex = embedding

    def forward(self, *where: object, **options: object) -> tuple[Tensor, Tensor]:
        """Return those of pictures (S, D/2, 2) and of the text (T, D/2, 2)."""
        picture, text = self.complex(*where, **options)
        return torch.view_as_real(picture), torch.view_as_real(text)


def use_real_numbers(transformer: QwenImageTransformer2DModel) -> None:
    """Let every block of `transformer` compute its attention by `RealProcessor`; once done, nothing more is done."""
    if isinstance(transformer.pos_embed, RealEmbedding):
        return  # new processors would forget which back end they were told to use
    processor: Any = RealProcessor()
    transformer.set_attn_processor(processor)
    transformer.add_module("pos_embed", RealEmbedding(transformer.pos_embed))


def compile_blocks(transformer: QwenImageTransformer2DModel) -> None:
    """Let the blocks be compiled at their first use, one code for all, and once more for texts of any length."""
    use_real_numbers(transformer)
    transformer.compile_repeated_blocks(fullgraph=True)


def use_quickest_backend(transformer: QwenImageTransformer2DModel, device: str) -> str:
    """Let `transformer` use the quickest attention that works on `device`, and say which.

    FlashAttention 3 where it is installed and computes in the transformer's dtype; else torch's own, cuDNN's first. No
    other kind is forbidden while one is used: the autoencoder of another thread may need it.
    """
    if torch.device(device).type != "cuda":
        return "torch's own"
    if _has_flash_3(device, transformer.config["attention_head_dim"], transformer.img_in.weight.dtype):
        transformer.set_attention_backend("_flash_3")
        return "FlashAttention 3"
    kinds = [SDPBackend.CUDNN_ATTENTION, SDPBackend.FLASH_ATTENTION, SDPBackend.EFFICIENT_ATTENTION, SDPBackend.MATH]
    _sdpa_kernel(kinds, set_priority=True)
    return "torch's own, cuDNN's first"


@torch.inference_mode()
def _has_flash_3(device: str, head_dim: int, dtype: torch.dtype) -> bool:
    if dtype not in {torch.bfloat16, torch.float16}:
        return False
    tokens = torch.zeros(1, 128, 1, head_dim, dtype=dtype, device=device)
    try:
        dispatch_attention_fn(tokens, tokens, tokens, backend=AttentionBackendName._FLASH_3)  # noqa: SLF001
    except (ImportError, RuntimeError, ValueError, TypeError):  # not installed, or not for this GPU
        return False
    return True
