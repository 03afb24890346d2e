"""Videos written with PyAV, read back, and compared with OpenCV's reading of them."""

import random
import struct

import av
import cv2
import numpy as np
import pytest
from files_loader import index, read

from echokit import ClipError, Rejection

T, H, W = 20, 48, 64
y, x = np.mgrid[:H, :W]
RAMP = np.stack([(x * 4 * (0.6 + 0.4 * np.cos(t / 3)) + y / 16) for t in range(T)])
RAMP = RAMP.clip(0, 255).astype(np.uint8)
NOISE = np.random.default_rng(0).integers(0, 256, (60, H, W), dtype=np.uint8)


def write(path, codec, pixels, movie=RAMP, *, rate=25, metadata=None, full=False, options=None):
    with av.open(str(path), "w", options=options or {}) as container:
        container.metadata.update(metadata or {})
        stream = container.add_stream(codec, rate=rate)
        stream.width, stream.height, stream.pix_fmt = W, H, pixels
        if codec in ("mpeg4", "mjpeg"):
            stream.options = {"qmin": "1", "qmax": "2"}
        if full:
            stream.codec_context.color_range = 2
        for frame in movie:
            rgb = av.VideoFrame.from_ndarray(np.repeat(frame[..., None], 3, 2), "rgb24")
            container.mux(stream.encode(rgb))
        container.mux(stream.encode())
    return path


def opencv(path):
    capture, frames = cv2.VideoCapture(str(path)), []
    while True:
        there, frame = capture.read()
        if not there:
            return np.stack(frames)
        frames.append(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY))


KINDS = [
    ("a.mp4", "mpeg4", "yuv420p"),
    ("a.mp4", "libvpx-vp9", "yuv420p"),
    ("a.mov", "mjpeg", "yuvj422p"),
    ("a.avi", "mjpeg", "yuvj420p"),
    ("a.avi", "rawvideo", "bgr24"),
    ("a.avi", "rawvideo", "gray"),
    ("a.mkv", "ffv1", "gray"),
    ("a.mkv", "ffv1", "yuv444p"),
    ("a.mkv", "ffv1", "yuv420p10le"),
    ("a.webm", "libvpx-vp9", "yuv420p"),
]


@pytest.mark.parametrize(("name", "codec", "pixels"), KINDS)
def test_luma_spans_all_greys_and_agrees_with_opencv(name, codec, pixels, tmp_path):
    path = write(tmp_path / name, codec, pixels)
    clip = read(path)
    assert clip.frames.shape == (T, H, W)
    assert clip.frames.dtype == np.uint8
    assert clip.fps == 25
    assert np.abs(clip.frames.astype(int) - opencv(path)).max() <= 2
    assert np.abs(clip.frames.astype(int) - RAMP).mean() < 2  # studio range would be off by 9
    assert clip.frames.min() <= 2
    assert clip.frames.max() >= 252


def test_a_stream_that_says_full_range_is_not_expanded(tmp_path):
    expanded = read(write(tmp_path / "a.mp4", "libvpx-vp9", "yuv420p"))
    path = write(tmp_path / "b.mp4", "libvpx-vp9", "yuv420p", full=True)  # same studio samples
    clip = read(path)
    assert np.abs(clip.frames.astype(int) - opencv(path)).max() <= 2
    assert expanded.frames.max() >= 252
    assert clip.frames.min() >= 14


def test_suffix_does_not_matter(tmp_path):
    path = write(tmp_path / "a.mp4", "mpeg4", "yuv420p")
    renamed = tmp_path / "b.dcm"
    path.rename(renamed)
    assert len(read(renamed).frames) == T


@pytest.mark.parametrize(("matrix", "quarters"), [((0, 1, -1, 0), 3), ((-1, 0, 0, -1), 2)])
def test_rotation_is_applied(matrix, quarters, tmp_path):
    path = write(tmp_path / "a.mp4", "mpeg4", "yuv420p")
    straight, data = read(path).frames, path.read_bytes()
    a, b, c, d = (n << 16 for n in matrix)
    upright = struct.pack(">9i", 1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30)
    turned = struct.pack(">9i", a, b, 0, c, d, 0, 0, 0, 1 << 30)
    offset = data.index(upright, data.index(b"tkhd"))
    path.write_bytes(data[:offset] + turned + data[offset + len(turned) :])
    frames = read(path).frames
    assert (frames == np.rot90(straight, quarters, axes=(1, 2))).all()
    assert np.abs(frames.astype(int) - opencv(path)).max() <= 2  # it turns by the matrix too


@pytest.mark.parametrize("rate", [13, 30])
def test_frame_rate(rate, tmp_path):
    assert read(write(tmp_path / "a.mp4", "mpeg4", "yuv420p", rate=rate)).fps == rate


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.avi"])
def test_a_comment_marks_synthetic_videos(name, tmp_path):
    metadata = {"comment": "a Synthetic heart"}
    assert index(write(tmp_path / name, "mpeg4", "yuv420p", metadata=metadata)).synthetic
    assert not index(write(tmp_path / f"plain-{name}", "mpeg4", "yuv420p")).synthetic


def test_one_frame_is_refused(tmp_path):
    assert "one frame" in index(write(tmp_path / "a.mp4", "mpeg4", "yuv420p", RAMP[:1])).reason


def test_sound_without_pictures_is_refused(tmp_path):
    path = tmp_path / "a.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        tone = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        tone.sample_rate = 16000
        container.mux(stream.encode(tone))
        container.mux(stream.encode())
    assert index(path).reason == "it holds no video stream, only audio"


def test_truncated_video_says_how_many_frames_there_are(tmp_path):
    early = {"movflags": "faststart"}
    path = write(tmp_path / "a.mp4", "mpeg4", "yuv420p", NOISE, options=early)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(ClipError, match=r"(\d+) (of its 60 )?frames could be read"):
        read(path)


def test_index_left_at_the_end_of_a_truncated_video(tmp_path):
    path = write(tmp_path / "a.mp4", "mpeg4", "yuv420p", NOISE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "0 frames could be read" in index(path).reason


def test_truncated_avi(tmp_path):
    path = write(tmp_path / "a.avi", "mjpeg", "yuvj420p", NOISE)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
    with pytest.raises(ClipError, match="frames could be read"):
        read(path)


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mkv", "mpeg4"), ("a.webm", "libvpx-vp9"), ("a.mkv", "ffv1")]
)
def test_a_truncated_video_without_a_count_of_frames(name, codec, tmp_path):
    pixels = "gray" if codec == "ffv1" else "yuv420p"
    path = write(tmp_path / name, codec, pixels, NOISE)
    assert len(read(path).frames) == 60
    data = path.read_bytes()
    for share in (0.4, 0.6, 0.8):
        path.write_bytes(data[: int(len(data) * share)])
        with pytest.raises(ClipError, match="frames could be read"):
            read(path)


def test_playlist_in_disguise_is_not_followed(tmp_path):
    write(tmp_path / "real.mp4", "mpeg4", "yuv420p")
    fake = tmp_path / "fake.mp4"
    fake.write_text("ffconcat version 1.0\nfile real.mp4\n")
    assert "not a video" in index(fake).reason


@pytest.mark.parametrize(
    ("name", "codec"), [("a.mp4", "mpeg4"), ("a.avi", "mjpeg"), ("a.mkv", "libvpx-vp9")]
)
def test_damaged_files_are_clips_or_refused(name, codec, tmp_path, capfd):
    pixels = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    path = write(tmp_path / name, codec, pixels, RAMP[:6])
    whole, rng = path.read_bytes(), random.Random(name)
    for attempt in range(40):
        data = bytearray(whole)
        if attempt % 3 == 0:
            data = data[: rng.randrange(len(data))]
        else:
            for _ in range(rng.randint(1, 8)):
                data[rng.randrange(len(data))] = rng.randrange(256)
        path.write_bytes(data)
        item = index(path)
        if isinstance(item, Rejection):
            assert item.reason
            continue
        try:
            clip = read(path)
        except ClipError:
            continue
        assert clip.frames.dtype == np.uint8
        assert clip.frames.ndim == 3
        assert len(clip.frames) >= 2
    assert capfd.readouterr().err == ""
