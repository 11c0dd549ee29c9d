"""The commands.  Heavy modules are imported inside them, so that ``superres --help`` is quick."""

from __future__ import annotations

import io
import math
import re
import sys
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from superres import __version__
from superres.cli.benchmark import benchmark_app
from superres.cli.codes import INTERRUPTED, OK, USAGE
from superres.errors import OptionError, SuperresError

__all__ = ["app", "main", "parse_bands", "parse_bytes", "parse_megapixels", "parse_rate", "parse_size"]

app = typer.Typer(
    name="superres",
    help="Make any picture larger, with trained networks that ship inside.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
app.add_typer(benchmark_app, name="benchmark")

#: Of ``train`` and ``finetune``.
_Cache = Annotated[
    Path | None, typer.Option(help="Folder that keeps decoded pictures, some 1 MB each: later starts are quick.")
]


def parse_size(text: str) -> tuple[int, int]:
    """``3840x2160``, ``3840x`` or ``x2160`` -> (width, height), 0 for a side that follows.

    >>> parse_size("3840x2160"), parse_size("x2160")
    ((3840, 2160), (0, 2160))
    """
    match = re.fullmatch(r"(\d{0,9})x(\d{0,9})", text.strip().lower())
    if not match or not (match[1] or match[2]):
        raise OptionError(f"size {text!r}: expected WIDTHxHEIGHT, WIDTHx or xHEIGHT, such as 3840x2160")
    return int(match[1] or 0), int(match[2] or 0)


def parse_bytes(text: str) -> int:
    """``2GB``, ``500 MB``, ``1.5g`` -> bytes (decimal units).

    >>> parse_bytes("1.5GB")
    1500000000
    """
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)b?", text.strip().lower())
    if not match:
        raise OptionError(f"memory {text!r}: expected a number and a unit, such as 2GB or 500MB")
    return int(float(match[1]) * 1000 ** " kmgt".index(match[2] or " "))


def parse_megapixels(number: float, option: str) -> int:
    """Megapixels -> pixels.

    >>> parse_megapixels(1.5, "--max-input")
    1500000
    """
    if not (math.isfinite(number) and number > 0):
        raise OptionError(f"{option} {number:g}: expected megapixels above 0")
    return int(number * 1e6)


def parse_rate(text: str) -> Fraction:
    """``25``, ``29.97`` or ``30000/1001`` -> frames per second.

    >>> parse_rate("30000/1001")
    Fraction(30000, 1001)
    """
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError) as exc:
        raise OptionError(f"frame rate {text!r}: expected frames per second, such as 25 or 30000/1001") from exc


def parse_bands(text: str) -> tuple[int, ...]:
    """``1-4,6`` -> band numbers; an empty text -> none.

    >>> parse_bands("1-4,6")
    (1, 2, 3, 4, 6)
    """
    bands: list[int] = []
    for part in text.split(",") if text.strip() else []:
        match = re.fullmatch(r"\s*(\d{1,5})(?:-(\d{1,5}))?\s*", part)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= first <= last:
            raise OptionError(f"bands {text!r}: expected numbers and ranges from 1, such as 1-4,6")
        bands += range(first, last + 1)
    return tuple(bands)


@app.callback(invoke_without_command=True)
def _root(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.", is_eager=True)] = False,
) -> None:
    if version:
        typer.echo(f"superres {__version__}")
        raise typer.Exit(OK)


@app.command()
def upscale(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Pictures or folders; - for standard input.")],
    output: Annotated[
        str | None,
        typer.Option(
            "-o",
            "--output",
            help="File, or folder (made if absent); of a video also a pattern, frames/%06d.png; - for standard output.",
        ),
    ] = None,
    scale: Annotated[float | None, typer.Option(help="Enlargement up to 16; 1 only cleans.", show_default="4")] = None,
    size: Annotated[str | None, typer.Option(help="Size of the result: 3840x2160, 3840x or x2160.")] = None,
    model: Annotated[
        str, typer.Option(help="A name from 'superres models', FOLDER/NAME, or auto: the source decides.")
    ] = "auto",
    format: Annotated[
        str | None, typer.Option(help="png, jpeg, tiff, webp, avif, gif; of DICOM dicom or jpeg2000.")
    ] = None,
    quality: Annotated[
        int | None, typer.Option(help="Of a lossy format, 1-100; of a video its encoder's CRF, less is better.")
    ] = None,
    compression: Annotated[
        str, typer.Option(help="Of PNG and TIFF: fast, or small for smaller files in more time.")
    ] = "fast",
    memory: Annotated[str, typer.Option(help="What strips, tiles and queues may take.")] = "1GB",
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or int8.")] = "auto",
    backend: Annotated[str, typer.Option(help="openvino or onnxruntime.")] = "openvino",
    threads: Annotated[int, typer.Option(help="Cores to use; 0 for all.")] = 0,
    tile: Annotated[int, typer.Option(help="Largest tile in pixels; 0 to choose.")] = 0,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="The mean over eight flips and turns: a little better, 8 times the time.")
    ] = False,
    max_input: Annotated[float, typer.Option(help="Largest input, in megapixels.")] = 150.0,
    max_output: Annotated[float, typer.Option(help="Largest result, in megapixels.")] = 2000.0,
    axes: Annotated[
        str, typer.Option(help="Of a volume: the array axes that grow, such as xy or xyz.", show_default="in-plane")
    ] = "",
    isotropic: Annotated[
        bool, typer.Option("--isotropic", help="Of a volume: bring thick slices to the in-plane spacing.")
    ] = False,
    through_plane: Annotated[
        str,
        typer.Option(help="Of a volume: what makes new slices: shipped, self (trained further on its own) or cubic."),
    ] = "shipped",
    bands: Annotated[
        str, typer.Option(help="Of a GeoTIFF: bands of the result, such as 1-4,6.", show_default="all")
    ] = "",
    cog: Annotated[bool, typer.Option("--cog", help="Of a GeoTIFF: write a cloud-optimised one.")] = False,
    guide: Annotated[
        Path | None,
        typer.Option(
            help="A sharper source of the same kind (GeoTIFF, NIfTI, picture) and place; the result takes its grid."
        ),
    ] = None,
    guide_bands: Annotated[str, typer.Option(help="Of the guide: bands or channels used.", show_default="all")] = "",
    codec: Annotated[
        str, typer.Option(help="Of a video: h264, hevc, av1 or vp9.", show_default="by the container")
    ] = "",
    preset: Annotated[str, typer.Option(help="Of a video: the encoder's preset, such as medium or slow.")] = "",
    start: Annotated[float | None, typer.Option(help="Of a video: second to begin at.")] = None,
    end: Annotated[float | None, typer.Option(help="Of a video: second to stop at.")] = None,
    deinterlace: Annotated[
        bool, typer.Option("--deinterlace", help="Of a video: make whole frames of interlaced ones.")
    ] = False,
    reuse: Annotated[
        int | None,
        typer.Option(help="Of a video: copy blocks that differ from the last frame's by so many steps at most, 0 up."),
    ] = None,
    frame_rate: Annotated[
        str | None, typer.Option(help="Of a folder that becomes one video, with -o CLIP.mp4: frames per second.")
    ] = None,
    recursive: Annotated[bool, typer.Option("-r", "--recursive", help="Search subfolders too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="JSON on standard output: an object per input, of a video one a second.")
    ] = False,
) -> None:
    """Make pictures larger.

    A single result is {stem}_x4.png beside the input, or -o FILE.  Lossless inputs keep their format, lossy ones
    become PNG unless --format says otherwise.  A folder is enlarged picture by picture, unless -o names a video: then
    its pictures are the frames.
    """
    from superres.cli.batch import run_batch
    from superres.formats import Limits
    from superres.options import RasterOptions, VideoOptions, VolumeOptions
    from superres.pipeline import Options

    options = Options(
        scale=scale,
        size=parse_size(size) if size is not None else None,
        model=model,
        precision=precision,
        backend=backend,
        threads=threads,
        memory=parse_bytes(memory),
        tile=tile,
        ensemble=ensemble,
        limits=Limits(
            input_pixels=parse_megapixels(max_input, "--max-input"),
            output_pixels=parse_megapixels(max_output, "--max-output"),
        ),
        format=format,
        quality=quality,
        compression=compression,
        overwrite=overwrite,
        volume=VolumeOptions(axes, isotropic, through_plane),
        raster=RasterOptions(parse_bands(bands), cog, guide, parse_bands(guide_bands)),
        video=VideoOptions(
            codec, preset, start, end, deinterlace, reuse, parse_rate(frame_rate) if frame_rate is not None else None
        ),
    )
    raise typer.Exit(run_batch(inputs, output, options, recursive=recursive, json_lines=json))


@app.command()
def compare(
    before: Annotated[Path, typer.Argument(help="A picture.")],
    after: Annotated[Path, typer.Argument(help="The same picture, as large or enlarged.")],
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Where the side-by-side picture goes.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing picture.")] = False,
) -> None:
    """Print PSNR and SSIM of two pictures and write them side by side, with a zoomed crop.

    Pictures of different sizes are shown, not measured.
    """
    from superres.cli.show import show_comparison

    show_comparison(before, after, output or after.with_name(f"{after.stem}_compared.png"), overwrite)


@app.command()
def models(
    json: Annotated[bool, typer.Option("--json", help="As JSON on standard output.")] = False,
) -> None:
    """List the models that ship inside."""
    from superres.cli.show import show_models

    show_models(json)


@app.command()
def train(
    recipe: Annotated[Path, typer.Argument(help="A TOML recipe; see recipes/.")],
    data: Annotated[Path, typer.Option(help="The folder that the recipe's data folders lie in.")],
    run: Annotated[Path | None, typer.Option(help="Folder of checkpoint and log.", show_default="runs/NAME")] = None,
    export: Annotated[Path | None, typer.Option(help="Folder for the finished ONNX model and its card.")] = None,
    threads: Annotated[int, typer.Option(help="Cores to use; 0 for all.")] = 0,
    processes: Annotated[int, typer.Option(help="Processes that share each batch out: one per GPU.")] = 1,
    log: Annotated[str, typer.Option(help="Beside log.csv: tensorboard, wandb, or both with a comma.")] = "",
    validate: Annotated[Path | None, typer.Option(help="Folder of pictures to measure on the way.")] = None,
    validate_every: Annotated[int, typer.Option(help="Steps between measurements.")] = 1000,
    precision: Annotated[str, typer.Option(help="bf16, fp32 or fp16 in place of the recipe's.")] = "",
    cache: _Cache = None,
) -> None:
    """Train a network by a recipe; a stopped run continues from its checkpoint."""
    from superres.cli.learn import RunOptions, run_training

    options = RunOptions(run, export, threads, processes, log, validate, validate_every, cache, precision)
    run_training(recipe, data, options)


@app.command()
def finetune(
    model: Annotated[str, typer.Argument(help="A name from 'superres models', or FOLDER/NAME.")],
    data: Annotated[Path, typer.Option(help="Folder of your pictures, searched with its subfolders.")],
    scale: Annotated[int, typer.Option(help="Enlargement of the new model.")] = 4,
    name: Annotated[str, typer.Option(help="Of the new model.", show_default="MODEL-tuned")] = "",
    steps: Annotated[int, typer.Option(help="Training steps.")] = 2000,
    rate: Annotated[float, typer.Option(help="Peak learning rate.")] = 5e-4,
    freeze: Annotated[str, typer.Option(help="Layers that stay as they are, such as head,body.0.")] = "",
    patch: Annotated[int, typer.Option(help="Patch size in small pixels; every picture must hold one.")] = 48,
    batch: Annotated[int, typer.Option(help="Patches per step.")] = 16,
    degradation: Annotated[str, typer.Option(help="bicubic, blind or everyday.", show_default="the model's")] = "",
    run: Annotated[
        Path | None, typer.Option(help="Folder of recipe, checkpoint, log.", show_default="runs/NAME")
    ] = None,
    export: Annotated[Path, typer.Option(help="Folder for the finished ONNX model and its card.")] = Path("models"),
    threads: Annotated[int, typer.Option(help="Cores to use; 0 for all.")] = 0,
    log: Annotated[str, typer.Option(help="Beside log.csv: tensorboard, wandb, or both with a comma.")] = "",
    validate: Annotated[Path | None, typer.Option(help="Folder of pictures to measure on the way.")] = None,
    validate_every: Annotated[int, typer.Option(help="Steps between measurements.")] = 200,
    precision: Annotated[
        str, typer.Option(help="bf16, fp32 or fp16.", show_default="the model's, where this processor has it")
    ] = "",
    cache: _Cache = None,
) -> None:
    """Continue a trained model on your own pictures (transfer learning)."""
    from superres.cli.learn import RunOptions, finetune_model
    from superres.training.finetune import FinetuneOptions

    frozen = tuple(part.strip() for part in freeze.split(",") if part.strip())
    tuning = FinetuneOptions(name, steps, rate, frozen, patch, batch, degradation, precision=precision)
    finetune_model(
        model, scale, data, tuning, RunOptions(run, export, threads, 1, log, validate, validate_every, cache)
    )


@app.command()
def degrade(
    inputs: Annotated[list[str], typer.Argument(metavar="INPUT...", help="Ground-truth pictures or folders.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for low/, high/ and pairs.csv.")],
    scale: Annotated[int, typer.Option(help="How many times smaller; 1 only spoils.")] = 4,
    kind: Annotated[
        str, typer.Option(help="bicubic; blind: soft, noisy, compressed; everyday: half so, half hardly.")
    ] = "bicubic",
    seed: Annotated[int, typer.Option(help="Decides, with a picture's name, what is done to it.")] = 0,
    margin: Annotated[int, typer.Option(help="Small pixels to cut from every side afterwards.")] = 0,
    recursive: Annotated[bool, typer.Option("-r", "--recursive", help="Search subfolders too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing pairs.")] = False,
) -> None:
    """Make pairs for tests: a small picture of each input beside the input cut to fit."""
    from superres.cli.degrade import PairOptions, run_degrade

    options = PairOptions(scale=scale, kind=kind, seed=seed, margin=margin)
    raise typer.Exit(run_degrade(inputs, output, options, recursive=recursive, overwrite=overwrite))


@app.command()
def align(
    low: Annotated[Path, typer.Argument(help="A small picture, or a folder of them.")],
    high: Annotated[Path, typer.Argument(help="The same scene large, or a folder with the same names.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for low/, high/ and pairs.csv.")],
    scale: Annotated[int | None, typer.Option(help="Size ratio.", show_default="from the sizes")] = None,
    photometric: Annotated[
        bool, typer.Option("--photometric", help="Give the large pictures the small ones' brightness and contrast.")
    ] = False,
    correlation: Annotated[float, typer.Option(help="Least correlation of fine detail, -1 to 1.")] = 0.5,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing pairs.")] = False,
) -> None:
    """Cut real pairs of pictures to what both show, pixel on pixel."""
    from superres.cli.align import run_align

    raise typer.Exit(
        run_align(low, high, output, scale=scale, photometric=photometric, least=correlation, overwrite=overwrite)
    )


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="A folder of ground-truth pictures, or of such folders.")],
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="A name from 'superres models', FOLDER/NAME, or bicubic; repeat to compare.", show_default="standard"
        ),
    ] = None,
    scale: Annotated[int, typer.Option(help="Enlargement.")] = 4,
    metrics: Annotated[
        str, typer.Option(help="psnr, ssim, ms-ssim, sam, ergas, consistency, niqe, lpips, dists; comma between.")
    ] = "psnr,ssim",
    degradation: Annotated[
        str,
        typer.Option(help="How low resolution is made: bicubic, blind, everyday, or measurement (blur, noise, JPEG)."),
    ] = "bicubic",
    low: Annotated[
        Path | None, typer.Option(help="Your own low-resolution pictures, named like those of --data.")
    ] = None,
    precision: Annotated[str, typer.Option(help="auto, fp32, bf16 or int8.")] = "auto",
    ensemble: Annotated[bool, typer.Option("--ensemble", help="The mean over eight flips and turns.")] = False,
    threads: Annotated[int, typer.Option(help="Cores to use; 0 for all.")] = 0,
    output: Annotated[
        Path | None, typer.Option("-o", "--output", help="Per picture: .csv, .json, or .html with crops to look at.")
    ] = None,
) -> None:
    """Measure quality in the published protocol (luma, border cut, bicubic low resolution)."""
    from superres.cli.evaluate import show_evaluation
    from superres.evaluation import Settings

    settings = Settings(
        scale=scale,
        models=tuple(model or ["standard"]),
        metrics=tuple(name.strip() for name in metrics.split(",")),
        degradation=degradation,
        precision=precision,
        ensemble=ensemble,
        threads=threads,
    )
    show_evaluation(data, settings, low, output)


@app.command()
def quantize(
    model: Annotated[str, typer.Argument(help="A name from 'superres models', or FOLDER/NAME.")],
    data: Annotated[Path, typer.Option(help="Folder of training pictures.")],
    scale: Annotated[int, typer.Option(help="Which of its networks.")] = 4,
    steps: Annotated[int, typer.Option(help="Training steps in 8-bit arithmetic; 0 for none.")] = 0,
    rate: Annotated[float, typer.Option(help="First learning rate of those steps.")] = 2e-4,
    evaluate: Annotated[Path | None, typer.Option(help="Test sets on which the loss is measured.")] = None,
    threads: Annotated[int, typer.Option(help="Cores to use; 0 for all.")] = 0,
) -> None:
    """Make the 8-bit form of a model, for processors that multiply bytes fastest."""
    from superres.cli.quantise import quantise_model

    quantise_model(model, scale, data, steps, rate, evaluate, threads)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code.  No traceback reaches the user for an error that superres knows."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a name of bytes that are no text is told with escapes
            stream.reconfigure(errors="backslashreplace")
    try:
        # Without its standalone mode the parser returns the code of typer.Exit and raises its own errors.
        code = app(args=list(arguments) if arguments is not None else None, prog_name="superres", standalone_mode=False)
    except (SuperresError, OSError) as error:
        print(f"superres: {error}", file=sys.stderr)
        return USAGE
    except (KeyboardInterrupt, typer.Abort):
        print("superres: stopped; nothing half-written was left behind", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        show = getattr(error, "show", None)  # what the parser's usage errors have in common over its versions
        if show is None:
            raise
        show()
        return USAGE
    return code if isinstance(code, int) else OK
