"""Batches: which patches of which pictures, a function of (seed, step) alone, prepared while the step before runs."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from superres.degrade import load_degradation
from superres.errors import OptionError
from superres.queueing import processors
from superres.training.data import Pair
from superres.training.patches import Cut, Slot, cut, make_patches
from superres.training.recipe import DataOptions
from superres.training.workers import worker_errors, worker_pool

__all__ = ["BatchSource"]

Bytes = npt.NDArray[np.uint8]

#: Batches that are prepared ahead: one may take longer than a step, as long as they do not on average.
_AHEAD = 3

# Picture, top, left, turn.
_Draw = tuple[int, int, int, int]


class BatchSource:
    """Random batches of patches.

    Slot ``i`` of batch ``k`` depends on (seed, k, i) alone, whatever prepares it and however the batch is shared out.

    Args:
        pairs: pictures; a picture is drawn in proportion to its area.
        scale: enlargement factor.
        options: patch and batch sizes, augmentation, degradation.
        seed: of every draw.
        steps: of the training, which the sizes follow.
        drawn: generated pictures; ``options.generated`` of all draws are theirs.
        rank, ranks: of ``ranks`` processes that share each batch out, which one this is.
        workers: processes that prepare batches; None to choose: none where patches are only cut.

    Raises:
        OptionError: a batch that cannot be shared out evenly, or CutBlur where input and reduction are the same.
    """

    def __init__(
        self,
        pairs: Sequence[Pair],
        scale: int,
        options: DataOptions,
        seed: int,
        *,
        steps: int = 1,
        drawn: Sequence[Pair] = (),
        rank: int = 0,
        ranks: int = 1,
        workers: int | None = None,
    ) -> None:
        self._pairs, self._scale, self._options, self._seed = [*pairs, *drawn], scale, options, seed
        self._steps, self._rank, self._ranks = steps, rank, ranks
        random = load_degradation(options.degradation).random
        for size in {options.batch, *(batch for _, _, batch in options.patches)}:
            if size % ranks:
                raise OptionError(f"data.batch = {size} over {ranks} processes: expected a multiple of their number")
        if options.cutblur and not random:
            raise OptionError(
                f"data.cutblur = {options.cutblur} with data.degradation = {options.degradation!r}: there is nothing "
                "but the reduction to undo; expected a random degradation, such as 'blind'"
            )
        shares = (
            _shares(pairs)
            if not drawn
            else np.concatenate([_shares(pairs) * (1 - options.generated), _shares(drawn) * options.generated])
        )
        self._cumulative = np.cumsum(shares)
        self._workers = (processors() if random else 0) if workers is None else workers

    def files(self, step: int) -> list[str]:
        """The pictures that this process's part of a batch is cut from, each once."""
        return list(dict.fromkeys(self._pairs[index].name for index, *_ in self._draws(step)[2]))

    def batch(self, step: int, pool: ProcessPoolExecutor | None = None) -> tuple[Bytes, Bytes]:
        """Low (N, patch, patch, 3) and high (N, scale*patch, scale*patch, 3) patches of one step, uint8."""
        slots = self._slots(step)
        if pool is None:
            return make_patches(slots, self._scale, self._options)
        length = -(-len(slots) // self._workers)
        parts = [slots[start : start + length] for start in range(0, len(slots), length)]
        with worker_errors():
            waiting = [pool.submit(make_patches, part, self._scale, self._options) for part in parts]
            low, high = zip(*(future.result() for future in waiting), strict=True)
        return np.concatenate(low), np.concatenate(high)

    def batches(self, start: int, stop: int) -> Generator[tuple[Bytes, Bytes], None, None]:
        """Batches of steps ``start .. stop - 1``, prepared ahead in threads and, where that is work, in processes."""
        with contextlib.ExitStack() as stack:
            pool = stack.enter_context(worker_pool(self._workers)) if self._workers and start < stop else None
            threads = stack.enter_context(ThreadPoolExecutor(_AHEAD if pool else 1))
            pending: collections.deque[Future[tuple[Bytes, Bytes]]] = collections.deque()
            stack.callback(lambda: [future.cancel() for future in pending])
            for step in range(start, stop):
                pending.append(threads.submit(self.batch, step, pool))
                if len(pending) > _AHEAD:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()

    def _draws(self, step: int) -> tuple[int, int, list[_Draw]]:
        """Patch size, first slot, and what is drawn for each slot of this process's part."""
        patch, size = self._options.sizes(step / self._steps)
        random = np.random.default_rng((self._seed, step))
        chosen = np.searchsorted(self._cumulative, random.random(size), side="right")
        draws = [self._place(int(index), patch, random) for index in np.minimum(chosen, len(self._pairs) - 1)]
        mine = size // self._ranks
        first = mine * self._rank
        return patch, first, draws[first : first + mine]

    def _place(self, index: int, patch: int, random: np.random.Generator) -> _Draw:
        """A patch of a picture."""
        height, width = (length // self._scale for length in self._pairs[index].high.shape[:2])
        top = int(random.integers(height - patch + 1))
        left = int(random.integers(width - patch + 1))
        return index, top, left, int(random.integers(8)) if self._options.augment else 0

    def _slots(self, step: int) -> list[Slot]:
        patch, first, draws = self._draws(step)
        return [self._slot((self._seed, step, first + number), patch, draw) for number, draw in enumerate(draws)]

    def _slot(self, seed: tuple[int, int, int], patch: int, draw: _Draw) -> Slot:
        options, own = self._options, self._cut(draw, patch)
        if not (options.mixup or options.cutblur or options.colour or options.decorrelated or options.rough):
            return Slot(patch, own, None, False, False, seed)
        # A stream of its own: what is done to a patch moves no other draw.
        random = np.random.default_rng((*seed, 1))
        mixing, blurring, colouring = random.random(3) < (options.mixup, options.cutblur, options.colour)
        other = None
        if mixing:
            index = min(int(np.searchsorted(self._cumulative, random.random(), side="right")), len(self._pairs) - 1)
            other = self._cut(self._place(index, patch, random), patch)
        apart = bool(random.random() < options.decorrelated)
        rough = bool(random.random() < options.rough)
        return Slot(patch, own, other, bool(blurring), bool(colouring), seed, apart, rough)

    def _cut(self, draw: _Draw, patch: int) -> Cut:
        index, top, left, turn = draw
        return cut(self._pairs[index], top, left, patch, self._scale, turn)


def _shares(pairs: Sequence[Pair]) -> npt.NDArray[np.float64]:
    """Each picture's share of the draws: that of its area."""
    areas = np.array([pair.high.shape[0] * pair.high.shape[1] for pair in pairs], np.float64)
    return np.asarray(areas / areas.sum())
