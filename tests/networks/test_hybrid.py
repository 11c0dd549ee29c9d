from __future__ import annotations

import torch

from superres.networks.hybrid import WindowAttention


def test_attention_is_the_sum_over_each_window_pixel_by_pixel() -> None:
    torch.manual_seed(0)
    tokens, values, window, height, width = 3, 2, 5, 7, 6
    attention = WindowAttention(4, tokens, values, window)
    batch = torch.randn(1, 4, height, width)
    with torch.no_grad():
        query, key, value = attention.enter(batch)[0].split([tokens, tokens, values])
        query, key = query.softmax(0), key.softmax(0)
        expected = torch.zeros(values, height, width)
        for y in range(height):
            for x in range(width):
                rows, columns = slice(max(0, y - 2), y + 3), slice(max(0, x - 2), x + 3)
                weights = torch.einsum("t,thw->hw", query[:, y, x], key[:, rows, columns])
                expected[:, y, x] = (weights / weights.sum() * value[:, rows, columns]).sum(dim=(1, 2))
        assert torch.allclose(attention(batch), attention.leave(expected[None]), atol=1e-5)
