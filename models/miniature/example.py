"""Write the example master shot: `python -m models.miniature.example --out master.png`."""

from argparse import ArgumentParser
from pathlib import Path

from PIL import Image

from models.camera import Pose
from models.miniature.cameras import camera_for
from models.miniature.raycast import render_view
from models.miniature.stage import make_scene

EXAMPLE_SEED = 127


def write_master(seed: int, width: int, height: int, path: Path) -> None:
    """Draw the master shot of a scene into a PNG file."""
    view = render_view(make_scene(seed), camera_for(Pose()), width, height)
    Image.fromarray(view.picture).save(path, format="PNG", optimize=True)


def main() -> None:
    """Read the command line and write the picture."""
    parser = ArgumentParser(description="Write the master shot of a procedural scene.")
    parser.add_argument("--seed", type=int, default=EXAMPLE_SEED, help="scene; %(default)s is held out of training")
    parser.add_argument("--width", type=int, default=1024, help="pixels, %(default)s unless told")
    parser.add_argument("--height", type=int, default=576, help="pixels, %(default)s unless told")
    parser.add_argument("--out", type=Path, required=True, help="the PNG file to write")
    options = parser.parse_args()
    write_master(options.seed, options.width, options.height, options.out)


if __name__ == "__main__":
    main()
