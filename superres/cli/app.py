"""The commands.  Heavy modules are imported inside them, so that ``superres --help`` is quick."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from superres import __version__
from superres.cli.codes import INTERRUPTED, OK, USAGE
from superres.errors import OptionError, SuperresError

__all__ = ["app", "main", "parse_bytes", "parse_size"]

app = typer.Typer(
    name="superres",
    help="Make any picture larger, with trained networks that ship inside.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
        typer.Option("-o", "--output", help="File, or folder (made if absent); - for standard output."),
    ] = None,
    scale: Annotated[float | None, typer.Option(help="Enlargement, above 1 up to 16.  [default: 4]")] = None,
    size: Annotated[str | None, typer.Option(help="Size of the result: 3840x2160, 3840x or x2160.")] = None,
    model: Annotated[str, typer.Option(help="A name from 'superres models', or FOLDER/NAME.")] = "standard",
    format: Annotated[str | None, typer.Option(help="png, jpeg, tiff, webp, avif.")] = None,
    quality: Annotated[int | None, typer.Option(help="Of a lossy format, 1-100.")] = None,
    memory: Annotated[str, typer.Option(help="What strips, tiles and queues may take.")] = "1GB",
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    backend: Annotated[str, typer.Option(help="openvino or onnxruntime.")] = "openvino",
    threads: Annotated[int, typer.Option(help="Cores to use; 0 for all.")] = 0,
    tile: Annotated[int, typer.Option(help="Largest tile in pixels; 0 to choose.")] = 0,
    max_input: Annotated[float, typer.Option(help="Largest input, in megapixels.")] = 150.0,
    max_output: Annotated[float, typer.Option(help="Largest result, in megapixels.")] = 2000.0,
    recursive: Annotated[bool, typer.Option("-r", "--recursive", help="Search subfolders too.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace existing results.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One JSON object per input on standard output.")] = False,
) -> None:
    """Make pictures larger.

    A single result is {stem}_x4.png beside the input, or -o FILE.  Lossless inputs keep their format, lossy ones
    become PNG unless --format says otherwise.
    """
    from superres.cli.batch import run_batch
    from superres.formats import Limits
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
        limits=Limits(input_pixels=int(max_input * 1e6), output_pixels=int(max_output * 1e6)),
        format=format,
        quality=quality,
        overwrite=overwrite,
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
    run: Annotated[Path | None, typer.Option(help="Folder of checkpoint and log.  [default: runs/NAME]")] = None,
    export: Annotated[Path | None, typer.Option(help="Folder for the finished ONNX model and its card.")] = None,
    threads: Annotated[int, typer.Option(help="Cores to use; 0 for all.")] = 0,
) -> None:
    """Train a network by a recipe; a stopped run continues from its checkpoint."""
    from superres.cli.learn import run_training

    run_training(recipe, data, run, export, threads)


@app.command()
def evaluate(
    data: Annotated[Path, typer.Option(help="A folder of ground-truth pictures, or of such folders.")],
    model: Annotated[str, typer.Option(help="A name from 'superres models', FOLDER/NAME, or bicubic.")] = "standard",
    scale: Annotated[int, typer.Option(help="Enlargement.")] = 4,
    precision: Annotated[str, typer.Option(help="auto, fp32 or bf16.")] = "auto",
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Per-picture CSV or JSON.")] = None,
) -> None:
    """Measure PSNR and SSIM in the published protocol (luma, border cut, bicubic low resolution)."""
    from superres.cli.show import show_evaluation

    show_evaluation(data, model, scale, precision, output)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command line; the exit code.  No traceback reaches the user for an error that superres knows."""
    try:
        # Without its standalone mode the parser returns the code of typer.Exit and raises its own errors.
        code = app(args=list(arguments) if arguments is not None else None, prog_name="superres", standalone_mode=False)
    except SuperresError as error:
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
