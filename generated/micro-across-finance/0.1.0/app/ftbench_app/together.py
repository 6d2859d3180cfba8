"""Adapters of several clients on one model: rows of all of them in one product of each frozen layer.

The model sees one row a client: the sequences of its batch one after another, each padded to that client's own longest,
and filled up at the end to the longest row. What acts on tokens one by one (frozen products, norms, rotary positions)
so acts on all clients in one operator. A product with a client's own factors is one of a batch of products. Attention
takes each client's row apart into its sequences, so that nobody is attended to by another, or padded to another.
"""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from . import attention, captured, flat, layers, prepared

NAME = "ftbench_causal_together"
Shapes = Sequence[tuple[int, int]]
"""For each client the sequences of its row and their length."""
_shapes: list[tuple[int, int]] = []
"""Of the pass at hand. Not of one thread: torch computes layers again on threads of its own."""


class Slot(flat.Flat):
    """The trained tensors of one client, or of all in rows, laid out as those of the model."""

    def __init__(self, like: flat.Flat, values: torch.Tensor, gradients: torch.Tensor) -> None:
        self.named, self.spans = like.named, like.spans
        self.values, self.gradients = values, gradients


@dataclass(eq=False)
class _Side:
    """One layer's factors of all clients, [clients, …], as views of buffers that stay where they are."""

    layer: layers.Layer
    down: torch.Tensor
    down_t: torch.Tensor
    up: torch.Tensor
    up_t: torch.Tensor
    gain: torch.Tensor | None
    sums: tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]
    drawn: list[torch.Tensor] | None = None
    """Each client's random state before this pass drew a mask here; None: none was drawn yet."""


class Adapters(layers.Layers):
    """Values, gradients and what holds for a step of as many clients as have a place here."""

    def __init__(self, model: torch.nn.Module, places: int) -> None:
        """Of a prepared model."""
        own = layers.known(model)
        like, first = own.flat, own.every[0]
        values = like.values.new_zeros(places, like.values.numel())
        super().__init__(own.every, Slot(like, values, torch.zeros_like(values)), squares=own.squares)
        self.groups = own.groups
        self.slots = [Slot(like, values[k], self.flat.gradients[k]) for k in range(places)]
        if own.copies is not None:
            self.copies = torch.zeros_like(values, dtype=first.compute)
        if own.norms is not None and own.gains is not None:
            self.norms, self.gains = (one.new_zeros(places, one.numel()) for one in (own.norms, own.gains))
        self.wants = (True, True, first.m is not None)
        """Whether gradients of A, B and m are asked for."""
        self.generators: list[torch.Generator] = []
        """Where each client's dropout comes from."""
        self._model = model
        self._again = prepared.checkpointed(model)
        self._graphs: captured.Graphs | None = None
        self._sides = self._make_sides()

    def _make_sides(self) -> list[_Side]:
        step = self.flat.values if self.copies is None else self.copies
        found, start = [], 0
        for layer in self.every:
            down, up = (self.flat.part(step, key) for key in layer.keys[:2])
            a, b = (self.flat.part(self.flat.gradients, key) for key in layer.keys[:2])
            end, gain, m = start + layer.b.shape[0], None, None
            if self.gains is not None:
                gain, m = self.gains[:, None, start:end], self.flat.part(self.flat.gradients, layer.keys[2])
            found.append(_Side(layer, down, down.mT, up, up.mT, gain, (a, b, m)))
            start = end
        return found

    @torch.no_grad()
    def refresh(self) -> None:
        """As `Layers.refresh`; W Aᵀ of all clients is one product a layer."""
        values = self.flat.values
        step = values if self.copies is None else self.copies.copy_(values)
        if self.norms is None:
            return
        start, places, scale = 0, len(values), self.every[0].scale
        for group in self.groups:
            count, (out, inner), rank = len(group.layers), group.layers[0].shape, group.a.shape[1]
            a, down = (self._stacked(one, group, 0).view(places, count, rank, inner) for one in (values, step))
            b = self._stacked(values, group, 1).view(places, count, out, rank)
            beside = down.transpose(0, 1).reshape(count, places * rank, inner)
            products = beside.new_empty(count, out, places * rank)
            for layer, side, product in zip(group.layers, beside, products, strict=True):
                torch.mm(layer.dense(), side.t(), out=product)
            mixed = (b @ (a @ a.mT)).mul_(scale * scale)
            mixed.add_(products.view(count, out, places, rank).permute(2, 0, 1, 3), alpha=2 * scale)
            end = start + count * out
            self.norms[:, start:end] = mixed.mul_(b).sum(3).view(places, count * out)
            start = end
        self._take_root()

    def _stacked(self, whole: torch.Tensor, group: Any, kind: int) -> torch.Tensor:
        """A (0) or B (1) of a group's layers, which lie one after another, of all clients."""
        names = [layer.keys[kind] for layer in group.layers]
        return whole[:, self.flat.spans[names[0]][0] : self.flat.spans[names[-1]][1]]

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """While it lasts the model computes by these adapters."""
        from transformers import AttentionInterface

        AttentionInterface.register(NAME, _attend)
        base: Any = self._model.get_base_model()  # type: ignore[operator]
        before = [side.layer.module.forward for side in self._sides]
        base.set_attn_implementation(NAME)
        try:
            for side in self._sides:
                side.layer.module.forward = functools.partial(self._forward, side)
            yield
        finally:
            for side, forward in zip(self._sides, before, strict=True):
                side.layer.module.forward = forward
            base.set_attn_implementation(attention.NAME)
            self.generators = []

    def hidden(self, ids: torch.Tensor, places: torch.Tensor, shapes: Shapes) -> list[torch.Tensor]:
        """For each client the last hidden states [sequences, length, width] of its own row of `ids`.

        `places`: the position of each token in its sequence. A backward pass is due before the next call.
        """
        _shapes[:] = shapes
        for side in self._sides:
            side.drawn = None
        base: Any = self._model.get_base_model()  # type: ignore[operator]
        backbone = getattr(base, base.base_model_prefix)
        whole = backbone(input_ids=ids, position_ids=places, use_cache=False).last_hidden_state
        return [row[: n * length].view(n, length, -1) for row, (n, length) in zip(whole, shapes, strict=True)]

    def _forward(self, side: _Side, x: torch.Tensor) -> torch.Tensor:
        # A is among the arguments so that autograd asks for a backward pass where x needs none.
        found: torch.Tensor = _Product.apply(x, side.layer.a, side, self)  # type: ignore[no-untyped-call]
        return found

    def mask(self, side: _Side, x: torch.Tensor) -> torch.Tensor | None:
        """Dropout of [clients, tokens, width] from each client's own numbers: the same ones where a layer is computed
        again. None: there is no dropout."""
        keep = 1 - side.layer.dropout
        if keep == 1:
            return None
        now = [generator.get_state() for generator in self.generators] if self._again else []
        if side.drawn is not None:
            _put(self.generators, side.drawn)
        made = torch.empty_like(x)
        for row, generator, (rows, length) in zip(made, self.generators, _shapes, strict=False):
            own = rows * length
            (row if own == len(row) else row[:own]).bernoulli_(keep, generator=generator)
            if own < len(row):
                row[own:] = 0
        if side.drawn is not None:
            _put(self.generators, now)
        elif self._again:
            side.drawn = now
        return made.div_(keep)

    def graphs(self, kind: type[captured.Graphs]) -> captured.Graphs | None:
        """The captured passes of these clients together; None where nothing can be captured."""
        if self.every[0].dropout or captured.of(self._model) is None:
            return None
        if self._graphs is None:
            self._graphs = kind(self._model, self)
        return None if self._graphs.reason else self._graphs


def _put(generators: Sequence[torch.Generator], states: Sequence[torch.Tensor]) -> None:
    for generator, state in zip(generators, states, strict=True):
        generator.set_state(state)


class _Product(torch.autograd.Function):
    """y [clients, tokens, out] of one layer; `layers._Product` with a batch of products where a client has its own."""

    @staticmethod
    def forward(ctx: Any, x: Any, _a: Any, side: _Side, adapters: Adapters) -> Any:
        layer, clients = side.layer, len(x)
        given = x if x.dtype == layer.compute else x.to(layer.compute)
        weight_t = layer.transposed if layer.transposed is not None else layer.dense().t()
        bias = layer.base.bias if layer.base.bias is None else layer.base.bias.to(layer.compute)
        noise = adapters.mask(side, given)
        seen = given if noise is None else given * noise
        low, held = torch.bmm(seen, side.down_t[:clients]), None
        up_t = side.up_t[:clients]
        if side.gain is None:
            y = _frozen(given, weight_t, bias).baddbmm_(low, up_t, alpha=layer.scale)
        else:
            gain = side.gain[:clients]
            held = _frozen(seen, weight_t).baddbmm_(low, up_t, alpha=layer.scale)
            if noise is None:
                y = held * gain if bias is None else torch.addcmul(bias, held, gain)
            else:
                y = _frozen(given - seen, weight_t, bias).addcmul_(held, gain)
        ctx.side, ctx.adapters, ctx.dtype = side, adapters, x.dtype
        ctx.save_for_backward(given, low, held, noise)
        return y if y.dtype == x.dtype else y.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grown: Any) -> Any:
        side, layer = ctx.side, ctx.side.layer
        x, low, held, noise = ctx.saved_tensors
        wants_a, wants_b, wants_m = ctx.adapters.wants
        clients, (into_a, into_b, into_m) = len(x), side.sums
        dy = grown if grown.dtype == layer.compute else grown.to(layer.compute)
        dz = dy
        if held is not None:
            if wants_m:
                # The division by the norm is one operator for all layers, at the end of the step.
                into_m[:clients].add_(torch.mul(dy, held).sum(1, dtype=torch.float32))
            dz = dy * side.gain[:clients]
        if wants_b:
            _add(into_b[:clients], dz.mT, low, layer.scale)
        dlow = torch.bmm(dz, side.up[:clients])
        if wants_a:
            _add(into_a[:clients], dlow.mT, x if noise is None else x * noise, layer.scale)
        if not ctx.needs_input_grad[0]:
            return None, None, None, None
        weight, down = layer.dense(), side.down[:clients]
        if noise is None:
            dx = _frozen(dz, weight).baddbmm_(dlow, down, alpha=layer.scale)
        elif held is None:
            dx = _frozen(dy, weight).addcmul_(torch.bmm(dlow, down).mul_(layer.scale), noise)
        else:
            plain = _frozen(dy, weight)
            dx = plain.addcmul_(_frozen(dz, weight).baddbmm_(dlow, down, alpha=layer.scale).sub_(plain), noise)
        return dx if dx.dtype == ctx.dtype else dx.to(ctx.dtype), None, None, None


def _frozen(x: torch.Tensor, right: torch.Tensor, bias: torch.Tensor | None = None) -> torch.Tensor:
    """x [clients, tokens, in] times a frozen matrix: one product over the tokens of all clients."""
    tokens = x.reshape(-1, x.shape[-1])
    made = torch.mm(tokens, right) if bias is None else torch.addmm(bias, tokens, right)
    return made.view(*x.shape[:-1], right.shape[1])


def _add(into: torch.Tensor, left: torch.Tensor, right: torch.Tensor, scale: float) -> None:
    """scale · left @ right of each client, added in float32."""
    if left.dtype == into.dtype:
        into.baddbmm_(left, right, alpha=scale)
    else:
        into.add_(torch.bmm(left, right), alpha=scale)


def _attend(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    **more: Any,
) -> tuple[torch.Tensor, None]:
    """Attention within each sequence; [clients, heads, tokens, width] → [clients, tokens, heads, width]."""
    tokens, shapes, given = query.shape[2], _shapes[: len(query)], (query, key, value)
    if len(set(shapes)) == 1 and math.prod(shapes[0]) == tokens:
        q, k, v = (_sequences(one, *shapes[0]) for one in given)
        found, _ = attention.attend(module, q, k, v, None, **more)
        return found.reshape(len(query), tokens, *found.shape[2:]), None
    rows = []
    for place, shape in enumerate(shapes):
        q, k, v = (_sequences(one[place : place + 1], *shape) for one in given)
        found, _ = attention.attend(module, q, k, v, None, **more)
        row = found.flatten(0, 1)
        rows.append(torch.nn.functional.pad(row, (0, 0, 0, 0, 0, tokens - len(row))))
    return torch.stack(rows), None


def _sequences(whole: torch.Tensor, count: int, length: int) -> torch.Tensor:
    """[clients, heads, tokens, width] → [clients · count, heads, length, width]."""
    clients, heads, _, width = whole.shape
    own = whole[:, :, : count * length].view(clients, heads, count, length, width)
    return own.transpose(1, 2).flatten(0, 1)
