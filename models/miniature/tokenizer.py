# pyright: standard
"""The miniature's tokenizer: the real class, with a byte-pair vocabulary learnt from all that it will ever be told."""

import json

from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import Qwen2Tokenizer

from models.dialects import all_absolute_views, all_relative_moves
from models.miniature.words import all_sentences
from models.template import PREFIX, suffix

VOCABULARY_SIZE = 1024

SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)


def build_tokenizer() -> Qwen2Tokenizer:
    """Learn the vocabulary from the template, every prompt of both dialects and the stage's words; always the same."""
    backend = Tokenizer(models.BPE())
    backend.pre_tokenizer = Qwen2Tokenizer().backend_tokenizer.pre_tokenizer
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_SIZE - len(SPECIAL_TOKENS),
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    prompts = [setting.prompt for settings in (all_relative_moves(), all_absolute_views()) for setting in settings]
    backend.train_from_iterator([PREFIX, *map(suffix, prompts), *all_sentences()], trainer)
    learnt = json.loads(backend.to_str())["model"]
    return Qwen2Tokenizer(
        vocab=learnt["vocab"],
        merges=[tuple(pair) for pair in learnt["merges"]],  # pyright: ignore[reportArgumentType] - pairs are taken
        extra_special_tokens=list(SPECIAL_TOKENS),
    )
