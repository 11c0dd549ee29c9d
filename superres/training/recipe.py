"""Recipe: the frozen description of one training.  :mod:`superres.training.recipe_file` reads and writes it."""

from __future__ import annotations

from dataclasses import dataclass, field

from superres.training.recipe_checks import check_recipe

__all__ = [
    "AdversarialOptions",
    "DataOptions",
    "LossOptions",
    "NetworkOptions",
    "OptimiserOptions",
    "Recipe",
    "TeacherOptions",
    "Value",
]

#: What an option of a network may be.
Value = bool | int | float | str


@dataclass(frozen=True)
class NetworkOptions:
    """``[network]``: the architecture and its constructor options.

    Attributes:
        architecture: a key of :data:`superres.networks.NETWORKS`.
        options: (name, value) pairs for that architecture's constructor, such as ``features``, or ``dropout`` of
            ``reparam`` and ``quality``; in TOML plain keys beside ``architecture``.
    """

    architecture: str = "reparam"
    options: tuple[tuple[str, Value], ...] = ()


@dataclass(frozen=True)
class DataOptions:
    """``[data]``: which pictures, and how pairs of patches are made of them.

    Attributes:
        folders: folders of pictures, searched recursively; relative ones are taken from the ``--data`` folder.
        degradation: a key of :data:`superres.degrade.DEGRADATIONS`.
        planes: what a network sees of a patch, a key of :data:`superres.training.patches.PLANES`: ``colour`` for RGB,
            ``grey`` for one plane, a mix of the colours drawn for every patch; ``guided`` for one and a sharp guide;
            ``rows`` for one whose rows are means of ``scale`` thin ones, as planes across thick slices are.
        patch: low-resolution patch size in pixels.
        batch: patches per step, over all processes together.
        patches: later sizes as ``[from, patch, batch]`` rows; ``from`` is a share of the steps, rising.
        augment: flips and quarter turns.
        mixup: share of the patches that are mixed with another one (Zhang et al., ICLR 2018).
        cutblur: share of the patches with a rectangle, or all but one, of the input not degraded, only reduced
            (Yoo et al., CVPR 2020).
        colour: share of the patches whose colour channels are exchanged.
        decorrelated: share of the patches whose channels are turned and inverted each on its own.
        rough: share of the patches whose input is sampled, sharpened, compressed or noisy, and whose truth holds that
            too, interpolated: what a faithful network should leave as it is.
        generated: share of the patches cut from generated pictures: text, line art, textures, dead leaves.
        frames: frames of a patch, for networks of video; 0 for pictures.  Clips are filmed from the pictures, reduced
            and compressed (:mod:`superres.degrade.video`); their planes are ``grey``.
        clips: how many clips are made before the first step.
    """

    folders: tuple[str, ...] = ("train",)
    degradation: str = "bicubic"
    planes: str = "colour"
    patch: int = 48
    batch: int = 16
    patches: tuple[tuple[float, int, int], ...] = ()
    augment: bool = True
    mixup: float = 0.0
    cutblur: float = 0.0
    colour: float = 0.0
    decorrelated: float = 0.0
    rough: float = 0.0
    generated: float = 0.0
    frames: int = 0
    clips: int = 1000

    def sizes(self, done: float) -> tuple[int, int]:
        """(patch, batch) when this share of the steps is done."""
        size = (self.patch, self.batch)
        for start, patch, batch in self.patches:
            if done >= start:
                size = (patch, batch)
        return size

    @property
    def largest_patch(self) -> int:
        """The largest patch at any time."""
        return max([self.patch, *(patch for _, patch, _ in self.patches)])


@dataclass(frozen=True)
class LossOptions:
    """``[loss]``: weights of what is minimised; 0 leaves a part out.

    Attributes:
        l1: mean absolute error.
        l2: mean squared error.
        charbonnier: L1, smooth at zero (Lai et al., CVPR 2017).
        fourier: L1 between Fourier coefficients (Cho et al., ICCV 2021); 0.05 goes with ``l1 = 1``.
        temporal: L1 between the changes from frame to frame of the result and of the truth, for ``data.frames``.
        warping: what the result changes more than the truth along the truth's motion, for ``data.frames``.
        perceptual: distance of the features of another network, named in ``perceptual_model``.
        consistency: L1 between the result, reduced by the bicubic matrices, and the input.
        adversarial: what the discriminator of ``[adversarial]`` makes of the result.
        perceptual_model: an ONNX file, or ``torchvision:NAME`` such as ``torchvision:vgg19``; never downloaded.
        perceptual_layers: features are taken after these convolutions, counted from 1; empty for the last.
        finish: share of the steps, at the end, that minimise ``finish_loss`` alone.
        finish_loss: ``l1``, ``l2`` (PSNR's own), ``charbonnier`` or ``fourier``.
    """

    l1: float = 1.0
    l2: float = 0.0
    charbonnier: float = 0.0
    fourier: float = 0.0
    temporal: float = 0.0
    warping: float = 0.0
    perceptual: float = 0.0
    consistency: float = 0.0
    adversarial: float = 0.0
    perceptual_model: str = ""
    perceptual_layers: tuple[int, ...] = ()
    finish: float = 0.0
    finish_loss: str = "l2"

    @property
    def pixel(self) -> dict[str, float]:
        """The weights of the losses that compare a result with the truth pixel by pixel, those above 0."""
        weights = {"l1": self.l1, "l2": self.l2, "charbonnier": self.charbonnier, "fourier": self.fourier}
        return {name: weight for name, weight in weights.items() if weight > 0}


@dataclass(frozen=True)
class AdversarialOptions:
    """``[adversarial]``: the discriminator, used when ``loss.adversarial`` is above 0.

    Attributes:
        kind: ``hinge`` (Lim and Ye, 2017) or ``bce`` (Goodfellow et al., 2014).
        features: channels of the discriminator's first layer.
        rate: its learning rate (Adam); it follows the network's schedule.
        matching: weight of feature matching beside the adversarial loss (Wang et al., CVPR 2018).
        start: share of the steps before the discriminator begins; the network learns the other losses alone.
    """

    kind: str = "hinge"
    features: int = 64
    rate: float = 1e-4
    matching: float = 0.0
    start: float = 0.0


@dataclass(frozen=True)
class OptimiserOptions:
    """``[optimiser]``: the step.

    Attributes:
        name: ``muon`` (hidden kernels by Muon, the rest by AdamW), ``adamw``, ``adam`` or ``sgd`` (momentum 0.9).
        rate: peak learning rate.
        hidden: root mean square of what ``muon`` adds to a hidden weight in a step, per unit of the rate.
        final_rate: learning rate at the last step.
        warmup: steps of linear warm-up.
        schedule: after the warm-up, ``cosine`` (half a cosine down) or ``wsd`` (constant, then linear down).
        cooldown: share of the steps, at the end, in which ``wsd`` comes down.
        weight_decay: of kernels; decoupled for ``muon`` and ``adamw``, L2 for ``adam`` and ``sgd``.
        clip: largest gradient norm; 0 for no limit.
        ema: decay of the averaged weights, which are the ones exported.
    """

    name: str = "muon"
    rate: float = 2e-3
    hidden: float = 0.5
    final_rate: float = 0.0
    warmup: int = 200
    schedule: str = "cosine"
    cooldown: float = 0.2
    weight_decay: float = 0.0
    clip: float = 0.5
    ema: float = 0.999


@dataclass(frozen=True)
class TeacherOptions:
    """``[teacher]``: a trained model that the network learns from beside the truth (distillation).

    Attributes:
        model: a shipped family such as ``standard``, ``FOLDER/NAME``, a ``checkpoint.pt``, or ``warm_start`` for the
            model that the training starts from; empty for none.
        weight: of the L1 distance to the teacher's result, which every step works out.
        blend: share of the teacher's result, the mean over eight flips and turns, in the truth that every loss compares
            with: worked out once for each picture, see :mod:`superres.training.softened`; generated ones keep theirs.
    """

    model: str = ""
    weight: float = 1.0
    blend: float = 0.0


@dataclass(frozen=True)
class Recipe:
    """Everything that decides what a training gives.

    Attributes:
        name: of the model file, e.g. ``standard_x4``.
        scale: enlargement factor; 1 restores without enlarging.
        steps: optimiser steps.
        seed: of every random choice; batch ``k`` depends on (seed, k) alone, so a resumed run is the same run.
        precision: ``bf16``, ``fp32``, or ``fp16`` (needs a GPU).
        warm_start: a model such as ``standard_x4`` or ``FOLDER/NAME_x4`` whose layers are the start, or a recipe beside
            this one, ``NAME.toml``, that ``superres train`` then follows first; empty for none.
        warm_share: share that the warm start's weights keep in the finished ones, which are then the mean of both:
            a short training for robustness so costs less of what was learnt before (Wortsman et al., "Robust
            Fine-Tuning of Zero-Shot Models", CVPR 2022).
        freeze: parameters that stay as they are, by the beginning of their names: ``head``, ``body.0``.
        network: the table ``[network]``.
        data: the table ``[data]``.
        loss: the table ``[loss]``.
        adversarial: the table ``[adversarial]``.
        optimiser: the table ``[optimiser]``.
        teacher: the table ``[teacher]``.
    """

    name: str
    scale: int
    steps: int
    seed: int = 0
    precision: str = "bf16"
    warm_start: str = ""
    warm_share: float = 0.0
    freeze: tuple[str, ...] = ()
    network: NetworkOptions = field(default_factory=NetworkOptions)
    data: DataOptions = field(default_factory=DataOptions)
    loss: LossOptions = field(default_factory=LossOptions)
    adversarial: AdversarialOptions = field(default_factory=AdversarialOptions)
    optimiser: OptimiserOptions = field(default_factory=OptimiserOptions)
    teacher: TeacherOptions = field(default_factory=TeacherOptions)

    @property
    def teacher_model(self) -> str:
        """``teacher.model``, with ``warm_start`` replaced by that model's name: a family, or ``FOLDER/NAME``."""
        name = self.teacher.model
        return self.warm_start.removesuffix(f"_x{self.scale}") if name == "warm_start" else name

    def __post_init__(self) -> None:
        """Check every value.

        Raises:
            OptionError: a value out of its range; it is named with what was expected.
        """
        check_recipe(self)
