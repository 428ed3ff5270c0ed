"""The oracle: the stock pipeline of diffusers on the same weights, LoRAs active through PEFT and not fused."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImageEditPlusPipeline,
    QwenImageTransformer2DModel,
)
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit_plus as stock_module
from PIL import Image
from torch import Tensor

from models.loading import Pipeline, load_module
from models.profiles import Profile
from models.sources import locate
from models.stages import num_hidden_tokens


@contextmanager
def stock_pipeline(ours: Pipeline, weights: Path) -> Generator[QwenImageEditPlusPipeline]:
    """Load `QwenImageEditPlusPipeline` with the profile's files and sizes."""
    base = locate(ours.profile.base, weights)
    fresh = replace(
        ours,
        vae=load_module(AutoencoderKLQwenImage, base / "vae", torch.float32),
        transformer=load_module(QwenImageTransformer2DModel, base / "transformer", torch.float32),
    )
    with stock_of(fresh) as pipeline:
        _apply_loras(pipeline, ours.profile, weights)
        yield pipeline


@contextmanager
def stock_of(ours: Pipeline) -> Generator[QwenImageEditPlusPipeline]:
    """Assemble a stock pipeline of parts not yet prepared, with the sizes of the profile in place of its constants."""
    pipeline = QwenImageEditPlusPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(**ours.profile.scheduler.model_dump()),
        vae=ours.vae,
        text_encoder=ours.text_encoder,
        tokenizer=ours.processor.tokenizer,
        processor=ours.processor,
        transformer=ours.transformer,
    )
    pipeline.prompt_template_encode_start_idx = num_hidden_tokens(ours)
    pipeline.set_progress_bar_config(disable=True)
    sizes = stock_module.CONDITION_IMAGE_SIZE, stock_module.VAE_IMAGE_SIZE
    stock_module.CONDITION_IMAGE_SIZE = ours.profile.condition_area_px
    stock_module.VAE_IMAGE_SIZE = ours.profile.reference_area_px
    try:
        yield pipeline
    finally:
        stock_module.CONDITION_IMAGE_SIZE, stock_module.VAE_IMAGE_SIZE = sizes


def _apply_loras(pipeline: QwenImageEditPlusPipeline, profile: Profile, weights: Path) -> None:
    for lora in profile.loras:
        path = locate(lora.source, weights)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Already found a `peft_config`")  # two adapters are what is wanted
            pipeline.load_lora_weights(
                str(path.parent), weight_name=path.name, adapter_name=lora.name, local_files_only=True
            )
    pipeline.set_adapters([lora.name for lora in profile.loras], [lora.strength for lora in profile.loras])


def stock_latents(pipeline: QwenImageEditPlusPipeline, picture: Image.Image, prompt: str, seed: int) -> Tensor:
    """Return the packed latents (1, N, C) at the end of a stock run."""
    return _run(pipeline, picture, prompt, seed, "latent")


def stock_picture(pipeline: QwenImageEditPlusPipeline, picture: Image.Image, prompt: str, seed: int) -> Image.Image:
    """Return the picture of a stock run."""
    return _run(pipeline, picture, prompt, seed, "pil")[0]


def _run(pipeline: QwenImageEditPlusPipeline, picture: Image.Image, prompt: str, seed: int, kind: str) -> Any:  # noqa: ANN401
    output: Any = pipeline(
        image=picture,
        prompt=prompt,
        width=picture.width,
        height=picture.height,
        num_inference_steps=8,
        true_cfg_scale=1.0,
        generator=torch.Generator().manual_seed(seed),
        output_type=kind,
    )
    return output.images
