"""Small files that cost gigabytes or hours where a reader believes them: each made in no time."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from files_loader import dataset, save
from PIL import Image
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
)

GIB = 2**30
_RUN = 2**24
FRAMES = np.arange(3 * 20 * 24, dtype=np.uint16).reshape(3, 20, 24).astype(np.uint8)


def deflated(head: bytes, zeros: int, wrap: int = -15) -> bytes:
    """A deflated stream of some bytes and then that many zeros, which takes a 1000th of them."""
    packer = zlib.compressobj(9, zlib.DEFLATED, wrap)
    first = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    run = packer.compress(bytes(_RUN)) + packer.flush(zlib.Z_FULL_FLUSH)
    return first + run * (zeros // _RUN) + packer.compress(bytes(zeros % _RUN)) + packer.flush()


def zipped(path: Path, members: dict[str, tuple[bytes, int]]) -> Path:
    """A ZIP whose members are some bytes and then many zeros, without the checksum of these."""
    body, directory = b"", b""
    for name, (head, zeros) in members.items():
        data, size = deflated(head, zeros), len(head) + zeros
        check = 0 if zeros else zlib.crc32(head)
        sizes = struct.pack("<LLL", check, len(data), min(size, 2**32 - 1))
        common = struct.pack("<HHHHH", 20, 0, 8, 0, 0) + sizes
        common += struct.pack("<HH", len(name), 0)
        directory += b"PK\x01\x02" + struct.pack("<H", 20) + common
        directory += struct.pack("<HHHLL", 0, 0, 0, 0, len(body)) + name.encode()
        body += b"PK\x03\x04" + common + name.encode() + data
    end = struct.pack("<HHHHLLH", 0, 0, len(members), len(members), len(directory), len(body), 0)
    path.write_bytes(body + directory + b"PK\x05\x06" + end)
    return path


def header(shape: tuple[int, ...], dtype: str) -> bytes:
    """The header of a NumPy array."""
    file = io.BytesIO()
    described = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_2_0(file, described)
    return file.getvalue()


def npy(array: Any) -> tuple[bytes, int]:
    """A small array as the member of an archive."""
    file = io.BytesIO()
    np.save(file, np.asarray(array))
    return file.getvalue(), 0


def huge(shape: tuple[int, ...], dtype: str) -> tuple[bytes, int]:
    """An array of zeros as the member of an archive."""
    return header(shape, dtype), int(np.prod([float(n) for n in shape])) * np.dtype(dtype).itemsize


def deflated_dicom(path: Path) -> Path:
    """1 GiB of pixels in 1 MB."""
    ds = dataset(FRAMES, "MONOCHROME2", DeflatedExplicitVRLittleEndian, Rows=20, Columns=24)
    whole = io.BytesIO()
    ds.save_as(whole, enforce_file_format=True)
    data = whole.getvalue()
    start = 144 + int.from_bytes(data[140:144], "little")
    inflated = zlib.decompress(data[start:], -15)
    at = inflated.index(FRAMES.tobytes())
    inflated = inflated[: at - 4] + struct.pack("<L", GIB) + inflated[at:]
    path.write_bytes(data[:start] + deflated(inflated, GIB - FRAMES.nbytes))
    return path


def rle_dicom(path: Path, side: int = 8192, frames: int = 12) -> Path:
    """Large frames of runs of 128 zeros."""
    runs = b"\x81\x00" * (side * side // 128)
    frame = struct.pack("<16L", 1, 64, *[0] * 14) + runs
    tags = {"Rows": side, "Columns": side, "NumberOfFrames": frames}
    return save(dataset([frame] * frames, "MONOCHROME2", RLELossless, **tags), path)


def jpeg(side: int, claimed: int) -> bytes:
    """A grey JPEG that states another size than it has."""
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, "JPEG")
    return _claim(file.getvalue(), b"\xff\xc0", 5, ">HH", side, claimed)


def jpeg_2000(side: int, claimed: int) -> bytes:
    """The same of JPEG 2000."""
    file = io.BytesIO()
    Image.new("L", (side, side)).save(file, "JPEG2000", no_jp2=True)
    data = _claim(file.getvalue(), b"\xff\x51", 6, ">LL", side, claimed)
    return _claim(data, b"\xff\x51", 22, ">LL", side, claimed)


def _claim(data: bytes, marker: bytes, skip: int, form: str, side: int, claimed: int) -> bytes:
    at = data.index(marker) + skip
    size = struct.calcsize(form)
    assert struct.unpack(form, data[at : at + size]) == (side, side)
    return data[:at] + struct.pack(form, claimed, claimed) + data[at + size :]


def encoded_dicom(path: Path, frame: bytes, syntax: Any, side: int, frames: int) -> Path:
    """A clip of one compressed frame again and again."""
    tags = {"Rows": side, "Columns": side, "NumberOfFrames": frames}
    photometric = "MONOCHROME2"
    return save(dataset([frame] * frames, photometric, syntax, **tags), path)


def video(path: Path, frames: int, width: int = 1920, height: int = 1080) -> Path:
    """A black video: one frame is encoded, and the one that changes nothing repeated."""
    with av.open(str(path), "w") as container:
        stream: Any = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        packets: list[Any] = []
        for index in range(3):
            planes = np.full((height * 3 // 2, width), 128, np.uint8)
            black = av.VideoFrame.from_ndarray(planes, "yuv420p")
            black.pts = index
            packets += stream.encode(black)
        packets += stream.encode()
        still = bytes(packets[2])
        for index in range(frames):
            packet = packets[index] if index < 3 else av.Packet(still)
            packet.stream, packet.time_base = stream, Fraction(1, 25)
            packet.pts = packet.dts = index
            packet.duration = 1
            container.mux(packet)
    return path


def nifti(path: Path, shape: tuple[int, ...], code: int, zeros: int, at: int = 352) -> Path:
    """A packed image of zeros."""
    import nibabel

    head = nibabel.Nifti1Header()
    head.set_data_dtype(code)
    head.set_data_shape(shape)
    head["vox_offset"] = at
    head["magic"] = b"n+1"
    data = deflated(bytes(head.binaryblock) + bytes(4), zeros)
    path.write_bytes(b"\x1f\x8b\x08\0\0\0\0\0\0\x03" + data + struct.pack("<LL", 0, zeros % 2**32))
    return path


def workbook(path: Path, sheet: str, styles: int = 1) -> Path:
    """A workbook of one worksheet, written as XML."""
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"

    def links(**targets: str) -> str:
        kinds = {"b": "officeDocument", "s": "worksheet", "t": "styles"}
        rows = "".join(
            f'<Relationship Id="{name}" Type="{office}/{kinds[name]}" Target="{target}"/>'
            for name, target in targets.items()
        )
        return f'<Relationships xmlns="{package}">{rows}</Relationships>'

    parts = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/'
        'content-types"><Default Extension="rels" ContentType="application/vnd.openxmlformats-'
        'package.relationships+xml"/><Override PartName="/xl/workbook.xml" ContentType="application'
        '/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/><Override PartName="/xl/'
        'worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        'spreadsheetml.worksheet+xml"/><Override PartName="/xl/styles.xml" ContentType="application'
        '/vnd.openxmlformats-officedocument.spreadsheetml.styles+xml"/></Types>',
        "_rels/.rels": links(b="xl/workbook.xml"),
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="s"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": links(s="worksheets/sheet1.xml", t="styles.xml"),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}">{sheet}</worksheet>',
        "xl/styles.xml": f'<styleSheet xmlns="{main}"><cellXfs>'
        f"{'<xf/>' * styles}</cellXfs></styleSheet>",
    }
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return path


def _sheet(name: str) -> Callable[[Path], Path]:
    """A folder of the newborn study whose sheet is a bomb."""
    number = '<row r="3"><c r="A3" t="inlineStr"><is><t>Nummer</t></is></c></row>'
    sheets = {
        "merge all": f"<sheetData>{number}</sheetData>"
        '<mergeCells><mergeCell ref="A1:XFD1048576"/></mergeCells>',
        "many merges": f"<sheetData>{number}</sheetData><mergeCells>"
        + '<mergeCell ref="A3:A1048576"/>' * 40_000
        + "</mergeCells>",
        "columns": "<cols>" + '<col min="1" max="16384"/>' * 100_000 + "</cols><sheetData/>",
        "inline text": '<sheetData><row r="1"><c r="A1" t="inlineStr"><is><t>'
        + "x" * 40_000_000
        + "</t></is></c></row></sheetData>",
        "rows": "<sheetData>" + '<row><c r="A1"><v>1</v></c></row>' * 300_000 + "</sheetData>",
        "wide rows": "<sheetData>"
        + '<row><c r="XFD1"><v>1</v></c></row>' * 100_000
        + "</sheetData>",
        "styles": f"<sheetData>{number}</sheetData>",
        "cells of one row": f"<sheetData><row>{'<c><v>1</v></c>' * 200_000}</row></sheetData>",
    }

    def make(path: Path) -> Path:
        path.mkdir()
        (path / "30KAPAP.mp4").write_bytes(npy(FRAMES)[0])
        workbook(path / "sheet.xlsx", sheets[name], 200_000 if name == "styles" else 1)
        return path

    return make


def _manifest(text: bytes) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        path.mkdir()
        (path / "a.npy").write_bytes(npy(FRAMES)[0])
        (path / "manifest.csv").write_bytes(text)
        return path / "manifest.csv"

    return make


def _archive(**members: tuple[bytes, int]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        whole = members if "frames" in members else {"frames": npy(FRAMES), **members}
        return zipped(path, {f"{name}.npy": member for name, member in whole.items()})

    return make


def _masks(path: Path) -> Path:
    path.mkdir()
    np.save(path / "a.npy", FRAMES)
    names = {"structures.npy": npy(FRAMES), "names.npy": huge((4_000_000,), "<U128")}
    zipped(path / "m.npz", names)
    table = path / "list.csv"
    table.write_text("patient,view,file,masks\n1,A4C,a.npy,m.npz\n")
    return table


def _sparse_npy(path: Path) -> Path:
    with path.open("wb") as file:
        file.write(header((1100, 1024, 1024), "|u1"))
        file.truncate(1100 * 2**20 + 4096)
    return path


BOMBS: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "deflated DICOM": ("a.dcm", deflated_dicom),
    "RLE": ("a.dcm", rle_dicom),
    "JPEG by its header": (
        "a.dcm",
        lambda p: encoded_dicom(p, jpeg(64, 12000), JPEGBaseline8Bit, 12000, 8),
    ),
    "JPEG in secret": (
        "a.dcm",
        lambda p: encoded_dicom(p, jpeg(64, 12000), JPEGBaseline8Bit, 64, 8),
    ),
    "JPEG 2000 by its header": (
        "a.dcm",
        lambda p: encoded_dicom(p, jpeg_2000(64, 12000), JPEG2000Lossless, 12000, 8),
    ),
    "JPEG 2000 in secret": (
        "a.dcm",
        lambda p: encoded_dicom(p, jpeg_2000(64, 12000), JPEG2000Lossless, 64, 8),
    ),
    "MPEG-4 of 1900 frames": ("a.mp4", lambda p: video(p, 1900)),
    "MPEG-4 in Matroska": ("a.mkv", lambda p: video(p, 1900)),
    "npz: fps": ("a.npz", _archive(fps=huge((GIB // 4,), "<f8"))),
    "npz: synthetic": ("a.npz", _archive(synthetic=huge((2 * GIB,), "|b1"))),
    "npz: names": ("a.npz", _archive(structures=npy(FRAMES), names=huge((GIB // 256,), "<U128"))),
    "npz: structures": ("a.npz", _archive(structures=huge((4, 2**15, 2**15), "|u1"))),
    "npz: masks": ("masks", _masks),
    "npz: float64": ("a.npz", _archive(frames=huge((170, 1024, 1024, 3), "<f8"))),
    "npz: header": ("a.npz", _archive(frames=(b"\x93NUMPY\x02\x00\xff\xff\xff\xf0", 2 * GIB))),
    "npy of a sparse file": ("a.npy", _sparse_npy),
    "nii.gz of float64": ("a.nii.gz", lambda p: nifti(p, (1024, 1024, 200), 64, 2 * GIB)),
    "nii.gz of uint8": ("a.nii.gz", lambda p: nifti(p, (1024, 1024, 2000), 2, 2 * GIB)),
    "nii.gz whose values are far": ("a.nii.gz", lambda p: nifti(p, (24, 20, 3), 2, 2 * GIB, GIB)),
    **{f"xlsx: {name}": ("study", _sheet(name)) for name in (
        "merge all", "many merges", "columns", "inline text", "rows", "wide rows", "styles",
        "cells of one row",
    )},
    "csv of a million columns": (
        "m",
        _manifest(b"patient,view,file," + b"c," * 1_000_000 + b"\n" + b"1," * 1_000_000),
    ),
    "csv of NUL bytes": ("m", _manifest(bytes(50_000_000))),
    "csv of one clip": ("m", _manifest(b"patient,view,file\n" + b"1,A4C,a.npy\n" * 8_000)),
}  # fmt: skip
"""Name -> the file's name, and what makes it and returns the source."""
