"""QuantisedStack: the deployed stack in 8-bit arithmetic, as it is trained and as int8 runtimes compute it.

Weights are signed codes from -64 to 64 with one scale per output channel; the input and every hidden activation are
unsigned 8-bit codes with one scale and zero point per layer.  Processors without VNNI add two products of such codes in
16 bits and cut off what does not fit: 2 * 255 * 64 fits, so that a file gives the same result on every processor.  The
last convolution's sum, the skip and the output stay in full precision, so the network's 8 bits never show as steps in
the picture.  An 8-bit picture is its own code (scale 1/255, zero point 0): entering loses nothing.

One scale for a whole layer wastes codes on channels that stay small, so channels are first brought to similar ranges:
a factor moved from a layer's weights to the next one's passes through the leaky ReLU and changes no result.  Sums of
residual blocks are codes too, of the features as they were rounded before.

Weights are rounded for their sums' sake (:mod:`superres.networks.rounding`), and biases take back what is left of the
mean.  Training may follow: rounding has no gradient; it is passed straight through (fake quantisation), so the weights
learn to live with it.

References:
    B. Jacob et al., "Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference",
    CVPR 2018.
    M. Nagel et al., "Data-Free Quantization Through Weight Equalization and Bias Correction", ICCV 2019.
    M. Nagel et al., "A White Paper on Neural Network Quantization", 2021, for ranges of least squared error.
"""

from __future__ import annotations

import copy
import itertools

import torch
from torch import Tensor, nn
from torch.nn import functional

from superres.errors import OptionError
from superres.networks.reparam import ConvolutionStack, Link
from superres.networks.rounding import columns_of, rounded

__all__ = ["LARGEST_CODE", "LEVELS", "QuantisedStack", "best_range", "equalised", "step_and_zero", "weight_scales"]

#: Codes of an activation: 0 .. 255.
LEVELS = 255

#: Of a weight, either sign: the largest of which two, times an activation's 255 each, fit into signed 16 bits.
LARGEST_CODE = (2**15 - 1) // (2 * LEVELS)

# Share of a channel's values that its range is taken from, and how far ranges are made alike: 1 would leave the
# weights of the next layer the more unlike (rounding error at x4 on photographs: 0.94 codes for 0.5, 1.02 for 0.75,
# 1.14 for 1).
_USUAL, _EQUALISED = 0.999, 0.5


def weight_scales(kernel: Tensor) -> Tensor:
    """The step of each output channel of a kernel (out, in, h, w): (out,); the largest has :data:`LARGEST_CODE`."""
    return kernel.detach().abs().amax((1, 2, 3)).clamp(min=1e-8) / LARGEST_CODE


def best_range(values: Tensor) -> tuple[float, float]:
    """The range (low <= 0 <= high) whose 256 levels represent ``values`` with the least squared error.

    Args:
        values: float32, any shape, finite.
    """
    flat = values.detach().flatten()
    flat = flat[:: max(1, flat.numel() // 200_000)]
    least, most = min(flat.min().item(), 0.0), max(flat.max().item(), 1e-6)
    best = (float("inf"), least, most)
    # Far values are rare: giving them up buys finer steps for all others.
    for up, down in itertools.product((1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3), (1.0, 0.85, 0.7, 0.5)):
        low, high = least * down, most * up
        step, zero = step_and_zero(low, high)
        error = (torch.fake_quantize_per_tensor_affine(flat, step, zero, 0, LEVELS) - flat).square().mean().item()
        best = min(best, (error, low, high))
    return best[1], best[2]


@torch.no_grad()
def equalised(plain: ConvolutionStack, sample: Tensor) -> ConvolutionStack:
    """A network of the same function whose hidden channels have similar ranges.

    Args:
        plain: the trained network in its deployed form.
        sample: float32 (N, C, H, W) in [0, 1], typical input.
    """
    result = copy.deepcopy(plain)
    links = result.hidden()
    following = [*(link.convolution for link in links[1:]), result.last()]
    features = list(result.features(sample))
    # Features that are added to each other have their channels' factors in common.
    groups: list[list[int]] = []
    for index, link in enumerate(links):
        if link.closes:
            next(group for group in groups if index - 2 in group).append(index)
        else:
            groups.append([index])
    for group in groups:
        channels = torch.cat([features[index].abs().transpose(0, 1).flatten(1) for index in group], 1)
        # The largest value of thousands is an accident of the sample.
        reach = channels.kthvalue(max(1, round(_USUAL * channels.shape[1])), dim=1).values
        reach = reach.clamp(min=1e-3 * float(reach.max()) + 1e-12)
        factors = (reach / reach.log().mean().exp()) ** _EQUALISED
        for index in group:
            layer = links[index].convolution
            layer.weight.div_(factors[:, None, None, None])
            if layer.bias is not None:
                layer.bias.div_(factors)
            following[index].weight.mul_(factors[None, :, None, None])
    return result


def step_and_zero(low: float, high: float) -> tuple[float, int]:
    """Scale and zero point (0 .. 255) of the codes of ``low .. high``."""
    step = max(high - low, 1e-8) / LEVELS
    return step, min(LEVELS, max(0, round(-low / step)))


class QuantisedStack(nn.Module):
    """A stack of convolutions in 8-bit arithmetic: (N, C, H, W) in [0, 1] -> (N, C, scale*H, scale*W), not clipped.

    Args:
        plain: the trained network in its deployed form; its weights are copied.
        sample: float32 (N, C, H, W) in [0, 1], typical input, from which the activations' ranges are taken.

    Raises:
        OptionError: a sample of another number of channels.
    """

    def __init__(self, plain: ConvolutionStack, sample: Tensor) -> None:
        super().__init__()
        channels = plain.hidden()[0].convolution.in_channels
        if sample.ndim != 4 or sample.shape[1] != channels:
            raise OptionError(f"sample has shape {tuple(sample.shape)}, expected (N, {channels}, H, W)")
        self.plain = equalised(plain, sample)
        self.ranges: list[tuple[float, float]] = []
        self.steps: list[Tensor] = []
        self._round(sample)

    @torch.no_grad()
    def _round(self, sample: Tensor) -> None:
        """Weights, their steps, and a range for each hidden activation, with the layers before already quantised."""
        plain = self.plain
        exact_before = exact = sample
        before = given = torch.fake_quantize_per_tensor_affine(sample, 1 / LEVELS, 0, 0, LEVELS)
        for link in plain.hidden():
            sums = link.convolution(exact)  # by the exact weights, before they are rounded
            self._round_layer(link.convolution, sums, given)
            result = self._after(link, given, before, self.steps[-1])
            self.ranges.append(best_range(result))
            result = torch.fake_quantize_per_tensor_affine(result, *step_and_zero(*self.ranges[-1]), 0, LEVELS)
            before, given = given, result
            exact_before, exact = exact, link.handed_on(sums, exact_before, plain.slope)
        self._round_layer(plain.last(), plain.last()(exact), given)

    def _round_layer(self, layer: nn.Conv2d, sums: Tensor, given: Tensor) -> None:
        """Round one layer's weights so that ``given``, which is rounded, gives about the exact ``sums``."""
        columns = columns_of(given)
        wanted = sums[:, :, 1:-1, 1:-1].permute(0, 2, 3, 1).flatten(0, 2)
        self.steps.append(weight_scales(layer.weight))
        layer.weight.copy_(rounded(layer.weight, self.steps[-1], LARGEST_CODE, columns))
        if layer.bias is not None:
            layer.bias.copy_((wanted - columns @ layer.weight.flatten(1).T).mean(0))

    def _after(self, link: Link, given: Tensor, before: Tensor, steps: Tensor) -> Tensor:
        """What a layer hands on, before that is rounded."""
        return link.handed_on(_convolved(given, link.convolution, steps), before, self.plain.slope)

    def forward(self, batch: Tensor) -> Tensor:
        """(N, C, H, W) -> (N, C, scale*H, scale*W)."""
        plain = self.plain
        before = given = torch.fake_quantize_per_tensor_affine(batch, 1 / LEVELS, 0, 0, LEVELS)
        for link, limits, steps in zip(plain.hidden(), self.ranges, self.steps[:-1], strict=True):
            result = self._after(link, given, before, steps)
            result = torch.fake_quantize_per_tensor_affine(result, *step_and_zero(*limits), 0, LEVELS)
            before, given = given, result
        residual = _convolved(given, plain.last(), self.steps[-1])
        return functional.pixel_shuffle(residual + plain.skip(batch), plain.scale)


def _convolved(batch: Tensor, convolution: nn.Conv2d, steps: Tensor) -> Tensor:
    """A 3x3 convolution whose kernel is rounded to codes."""
    zeros = torch.zeros(steps.shape, dtype=torch.int32)
    kernel = torch.fake_quantize_per_channel_affine(convolution.weight, steps, zeros, 0, -LARGEST_CODE, LARGEST_CODE)
    return functional.conv2d(batch, kernel, convolution.bias, padding=1)
