"""A client of a resident renderer, and what may come back: half a picture, another one, or no answer."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.errors import NotFiniteError, RenderError, RendererUnavailableError, WrongRendererError
from models.profiles import MINIATURE
from models.remote import RemoteRenderer, find_held_model
from models.renderer import AngleJob, Event, Queued, Rendered, StepDone
from models.wire import (
    Alive,
    Failed,
    RenderJob,
    Started,
    Step,
    read_events,
    read_job,
    to_line,
    write_job,
    write_picture,
)

PICTURE = np.random.default_rng(0).integers(0, 256, (8, 16, 3), np.uint8)
STREAM = [
    to_line(Started(replica="one")),
    to_line(Alive()),
    to_line(Step(step=1, num_steps=1)),
    write_picture(Rendered(picture=PICTURE, stage_times_s={"sample": 0.5, "queue": 0.25})),
]
JOB = RenderJob(model_sha256="0" * 64, prompt="左", seed=-1, prompts=("a", "b"), height_px=8, width_px=16)

Answer = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def served(answer: Answer) -> Generator[str]:
    """Answer every request in one way."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            answer(self)

        def do_GET(self) -> None:
            answer(self)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - so it is called there
            """Keep silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def say(status: int, *chunks: bytes) -> Answer:
    """Answer with a status and a body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.end_headers()
        for chunk in chunks:
            handler.wfile.write(chunk)

    return answer


def ask(address: str) -> list[Event]:
    """Render an angle of a grey master, and leave out what is said of the queue."""
    renderer = RemoteRenderer(address, MINIATURE, "0" * 64)
    events = renderer.render("key", lambda: Image.new("L", (16, 8)), AngleJob(prompt="p", seed=0))
    return [event for event in events if not isinstance(event, Queued)]


def test_a_job_arrives_as_it_was_sent() -> None:
    """Words of any language and pixels come out of a body as they went in."""
    job, master = read_job(write_job(JOB, PICTURE))
    assert job == JOB
    np.testing.assert_array_equal(master, PICTURE)


@given(st.binary(max_size=400))
def test_no_body_is_taken_for_a_job(body: bytes) -> None:
    """What is no job is a ValueError, whatever it is."""
    with pytest.raises(ValueError, match=r"RenderJob|job|pixels"):
        read_job(body)


def test_pixels_must_be_all_there() -> None:
    """A job with too few or too many pixels is none."""
    for body in (write_job(JOB, PICTURE)[:-1], write_job(JOB, PICTURE) + b"1"):
        with pytest.raises(ValueError, match="bytes of pixels follow"):
            read_job(body)


@given(st.lists(st.integers(1, len(b"".join(STREAM))), max_size=20))
def test_events_do_not_depend_on_how_they_are_cut(cuts: list[int]) -> None:
    """However the network cuts the answer into pieces, the same events come out."""
    data, places = b"".join(STREAM), sorted({0, *cuts})
    chunks = [data[start:end] for start, end in zip(places, [*places[1:], len(data)], strict=True)]
    started, step, last = read_events(chunks)
    assert started == Queued()
    assert step == StepDone(step=1, num_steps=1)
    assert isinstance(last, Rendered)
    np.testing.assert_array_equal(last.picture, PICTURE)


def test_the_wait_in_front_is_counted() -> None:
    """The time until the renderer began is added to the wait in it."""
    with served(say(200, *STREAM)) as address:
        last = ask(address)[-1]
    assert isinstance(last, Rendered)
    assert 0.25 < last.stage_times_s["queue"] < 5
    assert last.stage_times_s["sample"] == 0.5


@pytest.mark.parametrize("cut", [1, 60, 200, -1])
def test_half_an_answer_is_an_error_that_passes(cut: int) -> None:
    """A stream that ends early is never a picture."""
    with served(say(200, b"".join(STREAM)[:cut])) as address, pytest.raises(RendererUnavailableError):
        ask(address)


def test_a_flipped_bit_is_noticed() -> None:
    """Pixels that changed on their way are no picture."""
    data = bytearray(b"".join(STREAM))
    data[-10] ^= 1
    with served(say(200, bytes(data))) as address, pytest.raises(RendererUnavailableError, match="damaged on its way"):
        ask(address)


@pytest.mark.parametrize(
    ("name", "kind"), [("NotFiniteError", NotFiniteError), ("KeyError", RenderError), ("annotations", RenderError)]
)
def test_errors_are_those_of_models_and_no_others(name: str, kind: type[Exception]) -> None:
    """The name of an error only ever means a class of ours."""
    with served(say(200, to_line(Failed(error=name, message="so it is")))) as address:
        with pytest.raises(RenderError, match=r"^so it is$") as caught:
            ask(address)
        assert type(caught.value) is kind


def test_nobody_there() -> None:
    """An address without a renderer is one sentence."""
    with served(say(200)) as address:
        pass
    with pytest.raises(RendererUnavailableError, match=r"^The renderer at http://.* does not answer \(ConnectError\)"):
        ask(address)


def test_other_servers() -> None:
    """What answers as no renderer does is never believed."""
    with served(say(200, b"<html>\n")) as address:
        with pytest.raises(RendererUnavailableError, match="which is no event"):
            ask(address)
        with pytest.raises(RendererUnavailableError, match="is no renderer of this version"):
            find_held_model(address)
    with served(say(404)) as address, pytest.raises(RendererUnavailableError, match="answers with status 404"):
        ask(address)
    with served(say(503)) as address, pytest.raises(RendererUnavailableError, match="No replica"):
        find_held_model(address)
    with served(say(409)) as address, pytest.raises(WrongRendererError, match="holds another model"):
        ask(address)


def test_a_full_queue_is_asked_again() -> None:
    """Whoever is sent away comes back, and gets the picture."""
    answers = [say(503), say(200, *STREAM)]

    def answer(handler: BaseHTTPRequestHandler) -> None:
        answers.pop(0)(handler)

    with served(answer) as address:
        assert isinstance(ask(address)[-1], Rendered)
    assert answers == []
