"""The words around an instruction, as the edit model was trained on them.

Every angle of a scene shares the text up to and including the picture, so that part is encoded once per scene.

Source: `QwenImageEditPlusPipeline` of diffusers.
"""

SYSTEM = (
    "<|im_start|>system\n"
    "Describe the key features of the input image (color, shape, size, texture, objects, background), then explain how "
    "the user's text instruction should alter or modify the image. Generate a new image that meets the user's "
    "requirements while maintaining consistency with the original input where appropriate.<|im_end|>\n"
    "<|im_start|>user\n"
)
"""Seen by the language model, hidden from the transformer."""

PICTURE = "Picture 1: <|vision_start|><|image_pad|><|vision_end|>"
CLOSING = "<|im_end|>\n<|im_start|>assistant\n"

PREFIX = SYSTEM + PICTURE


def suffix(prompt: str) -> str:
    """Return the text behind the shared prefix: what differs from angle to angle."""
    return prompt + CLOSING
