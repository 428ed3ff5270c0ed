# pyright: standard, reportPrivateImportUsage=false, reportCallIssue=false, reportArgumentType=false
"""The text encoder, taught to say what a picture shows, and to read what it is told.

Run `python -m models.miniature.training.language`. The language model sees the very template of the edit model: hidden
system text, picture, instruction, and then answers with the caption.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from diffusers.image_processor import VaeImageProcessor
from PIL import Image
from torch import Tensor, nn
from torch.nn import functional
from transformers import Qwen2_5_VLForConditionalGeneration, Qwen2VLProcessor

from models.dialects import all_relative_moves
from models.framing import choose_raster
from models.miniature.architecture import TEXT, build_text_encoder
from models.miniature.training.captions import CaptionedViews
from models.miniature.training.loop import choose_dtype, train
from models.miniature.training.options import Options, read_options
from models.miniature.training.views import ALL_POSES
from models.miniature.untrained import build_processor
from models.miniature.words import name_mark
from models.profiles import MINIATURE
from models.template import PREFIX, suffix

BATCH = 8
LEARNING_RATE = 1e-3
ECHO_WEIGHT = 0.5
IGNORED = -100
"""The label of a token that is not asked for."""


@dataclass(frozen=True, kw_only=True)
class Lesson:
    """A picture (H, W, 3), what the model is told, and what it should answer."""

    picture: np.ndarray
    instruction: str
    answer: str


def draw_lessons(views: CaptionedViews, number: int) -> Iterator[Lesson]:
    """Yield the lessons of a step: captioned views, each with an instruction of either kind."""
    random = np.random.default_rng((number, 3))
    moves = [move.prompt for move in all_relative_moves()]
    for _ in range(BATCH):
        picture, answer = views.draw(random)
        mark = name_mark(ALL_POSES[random.integers(len(ALL_POSES))])
        instruction = mark if random.random() < 0.5 else moves[random.integers(len(moves))]
        yield Lesson(picture=picture, instruction=instruction, answer=answer)


def condition_raster(picture: Image.Image) -> Image.Image:
    """Return the picture at the size at which the text encoder sees it."""
    width, height = choose_raster(picture.width, picture.height, MINIATURE.condition_area_px)
    return cast("Image.Image", VaeImageProcessor(vae_scale_factor=16).resize(picture, height, width))


def make_batch(processor: Qwen2VLProcessor, lessons: list[Lesson], device: torch.device) -> dict[str, Tensor]:
    """Return the arguments of one call of the language model, with labels behind the picture."""
    texts = [PREFIX + suffix(lesson.instruction) + lesson.answer + "<|im_end|>" for lesson in lessons]
    pictures = [condition_raster(Image.fromarray(lesson.picture)) for lesson in lessons]
    inputs = processor(text=texts, images=pictures, padding=True, return_tensors="pt")
    inputs.pop("mm_token_type_ids", None)  # positions count tokens, as when pictures are made
    labels = inputs["input_ids"].masked_fill(inputs["attention_mask"] == 0, IGNORED)
    end_of_picture = processor.tokenizer.convert_tokens_to_ids("<|vision_end|>")
    is_prefix = (inputs["input_ids"] == end_of_picture).flip(1).cumsum(1).flip(1) > 0
    return dict(inputs.to(device)) | {"labels": labels.masked_fill(is_prefix, IGNORED).to(device)}


class Pupil(nn.Module):
    """A text encoder and, while it learns, a head that says for every state which token it stands for.

    A language model forgets a word once nothing behind it depends on it, and the transformer sees only its last states.
    """

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration, vocabulary_size: int) -> None:
        """Take a model, whose states are as wide as its embeddings."""
        super().__init__()
        self.model = model
        self.echo = nn.Linear(TEXT["hidden_size"], vocabulary_size)

    def forward(self, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return how badly the next token, and the same token, are told from the states of a batch."""
        inputs = {name: value for name, value in batch.items() if name != "labels"}
        states, labels = self.model.model(**inputs, use_cache=False).last_hidden_state, batch["labels"]
        told = self.model.lm_head(states[:, :-1])
        return _surprise(told, labels[:, 1:]), _surprise(self.echo(states), labels)


def _surprise(told: Tensor, labels: Tensor) -> Tensor:
    return functional.cross_entropy(told.flatten(0, 1).float(), labels.flatten(), ignore_index=IGNORED)


def train_text_encoder(options: Options) -> Qwen2_5_VLForConditionalGeneration:
    """Train a text encoder from a seed, or on from its last checkpoint."""
    views, device = CaptionedViews(options.data), options.device
    torch.manual_seed(0)
    processor = build_processor()
    pupil = Pupil(build_text_encoder(processor.tokenizer), len(processor.tokenizer)).to(device)
    optimizer = torch.optim.AdamW(pupil.parameters(), LEARNING_RATE, betas=(0.9, 0.98), weight_decay=0.05)
    dtype = choose_dtype(device)

    def step(number: int, _: torch.Generator) -> dict[str, Tensor]:
        batch = make_batch(processor, list(draw_lessons(views, number)), device)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            next_token, same_token = pupil(batch)
        (next_token + ECHO_WEIGHT * same_token).backward()
        return {"next token": next_token, "same token": same_token}

    return train(step, pupil, [optimizer], options.folder, options.num_steps).model


def main() -> None:
    """Train with the settings of the command line."""
    options = read_options(__doc__, part="language", num_steps=2000)
    model = train_text_encoder(options)
    folder = options.weights / "miniature"
    torch.nn.Module.to(model, torch.bfloat16).save_pretrained(folder / "text_encoder")
    build_processor().save_pretrained(folder / "processor")


if __name__ == "__main__":
    main()
