"""Adapter layers of our own: LoRA and DoRA on peft's modules, in few operators.

peft keeps the adapter: its modules, names and files. Only their `forward` is ours. With s = alpha / rank

    LoRA   y = W x + s B A x            DoRA   y = g ∘ (W x + s B A x) + bias,   g = m / ‖W + s B A‖ by rows

and, as in peft, the norm is a constant to the gradient (arXiv 2402.09353, section 4.3). What is the same for a whole
step is computed once a step and not in every pass: the factors in the type that the model computes in, and the norms,

    ‖W + s B A‖² = ‖W‖² + rows of ((2 s W Aᵀ + s² B (A Aᵀ)) ∘ B)

with ‖W‖² once a run, so that neither B A nor W + s B A is ever there. Values, gradients and norms are float32; the
products are computed in the type of the activations, as the frozen ones beside them are.
"""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch

from . import flat

FAMILIES = frozenset(
    {
        "cohere",
        "gemma",
        "gemma2",
        "gemma3_text",
        "granite",
        "llama",
        "mistral",
        "olmo2",
        "phi3",
        "qwen2",
        "qwen3",
        "smollm3",
    }
)
"""`model_type` of the models of which a test holds these layers to peft's; others have peft's own."""
SMALLEST = 1e-30
"""Least squared norm of a row: rounding may leave less than nothing where B A takes W away."""


@dataclass(eq=False)
class Layer:
    """One adapted linear layer."""

    module: Any
    """peft's."""
    base: Any
    """The frozen linear layer."""
    a: torch.nn.Parameter
    b: torch.nn.Parameter
    m: torch.nn.Parameter | None
    """DoRA's magnitudes."""
    scale: float
    dropout: float
    compute: torch.dtype
    """What the products are computed in."""
    quantised: bool
    weight: torch.Tensor | None = None
    """The frozen weight [out, in] where it is held as it is."""
    transposed: torch.Tensor | None = None
    # What holds for a step, as views of buffers that stay where they are.
    down: Any = None
    """A [rank, in]."""
    down_t: Any = None
    up: Any = None
    """B [out, rank]."""
    up_t: Any = None
    gain: Any = None
    """g."""
    norm: Any = None
    """‖W + s B A‖ in float32."""
    # Where gradients are added up, while a client trains; None: they are given to autograd.
    sums: tuple[Any, Any, Any] | None = None
    keys: tuple[str, str, str] = ("", "", "")
    """Names of A, B and m as they travel."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of W."""
        return self.b.shape[0], self.a.shape[1]

    def put(self) -> None:
        """Let the module compute by this layer, but where its adapter is switched off or it is asked for more."""
        module, theirs = self.module, self.module.forward

        def forward(x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
            if module.disable_adapters or module.merged or args or kwargs:
                out: torch.Tensor = theirs(x, *args, **kwargs)
                return out
            out = _Product.apply(x, self.a, self.b, self.m, self, module.training)  # type: ignore[no-untyped-call]
            return out

        module.forward = forward

    def dense(self) -> torch.Tensor:
        """W as the computation sees it, [out, in]."""
        if self.weight is not None:
            return self.weight
        from bitsandbytes.functional import dequantize_4bit

        held = self.base.weight
        whole: torch.Tensor = dequantize_4bit(held.data, held.quant_state)
        return whole.to(self.compute)


class _Product(torch.autograd.Function):
    """y of one layer. Saves its input, A x and for DoRA W x + s B A x; nothing else outlives the pass."""

    @staticmethod
    def forward(  # noqa: PLR0917  (autograd knows no keywords)
        ctx: Any, x: Any, a: Any, b: Any, m: Any, layer: Layer, training: bool
    ) -> Any:
        shape = x.shape
        flat_x = x.reshape(-1, shape[-1])
        if flat_x.dtype != layer.compute:
            flat_x = flat_x.to(layer.compute)
        weight_t = layer.transposed if layer.transposed is not None else layer.dense().t()
        bias, drop = layer.base.bias, training and layer.dropout > 0
        if bias is not None and bias.dtype != layer.compute:
            bias = bias.to(layer.compute)
        noise = seen = None
        if drop:
            noise = torch.empty_like(flat_x).bernoulli_(1 - layer.dropout).div_(1 - layer.dropout)
            seen = flat_x * noise
        low = torch.mm(flat_x if seen is None else seen, layer.down_t)
        held = None
        if m is None:
            y = torch.mm(flat_x, weight_t) if bias is None else torch.addmm(bias, flat_x, weight_t)
            y.addmm_(low, layer.up_t, alpha=layer.scale)
        elif seen is None:
            held = torch.mm(flat_x, weight_t).addmm_(low, layer.up_t, alpha=layer.scale)
            y = held * layer.gain if bias is None else torch.addcmul(bias, held, layer.gain)
        else:  # y = W x + (g - 1) ∘ W drop(x) + g ∘ s B A drop(x), as peft has it
            held = torch.mm(seen, weight_t).addmm_(low, layer.up_t, alpha=layer.scale)
            rest = torch.mm(flat_x - seen, weight_t) if bias is None else torch.addmm(bias, flat_x - seen, weight_t)
            y = rest.addcmul_(held, layer.gain)
        ctx.layer, ctx.shape, ctx.dtype = layer, shape, x.dtype
        ctx.save_for_backward(flat_x, low, held, noise)
        y = y.view(*shape[:-1], y.shape[-1])
        return y if y.dtype == x.dtype else y.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, grown: Any) -> Any:
        layer: Layer = ctx.layer
        x, low, held, noise = ctx.saved_tensors
        wants_x, wants_a, wants_b, wants_m = ctx.needs_input_grad[:4]
        into_a, into_b, into_m = layer.sums or (None, None, None)
        dy = grown.reshape(-1, grown.shape[-1])
        if dy.dtype != layer.compute:
            dy = dy.to(layer.compute)
        dx = da = db = dm = None
        dz = dy
        if held is not None:
            if wants_m:
                found = torch.mul(dy, held).sum(0, dtype=torch.float32)
                # Summed as it is: the division by the norm is one operator for all layers, at the end of the step.
                dm = into_m.add_(found) if into_m is not None else found / layer.norm
            dz = dy * layer.gain
        if wants_b:
            db = _add(into_b, dz.t(), low, layer.scale, layer.b)
        if wants_a or wants_x:
            dlow = torch.mm(dz, layer.up)
            if wants_a:
                da = _add(into_a, dlow.t(), x if noise is None else x * noise, layer.scale, layer.a)
            if wants_x:
                weight = layer.dense()
                if noise is None:
                    dx = torch.mm(dz, weight).addmm_(dlow, layer.down, alpha=layer.scale)
                elif held is None:
                    dx = torch.mm(dy, weight).addcmul_(torch.mm(dlow, layer.down).mul_(layer.scale), noise)
                else:
                    plain = torch.mm(dy, weight)
                    dropped = torch.mm(dz, weight).addmm_(dlow, layer.down, alpha=layer.scale).sub_(plain)
                    dx = plain.addcmul_(dropped, noise)
                dx = dx.view(ctx.shape)
                if dx.dtype != ctx.dtype:
                    dx = dx.to(ctx.dtype)
        if layer.sums is not None:
            da = db = dm = None
        return dx, da, db, dm, None, None


def _add(into: Any, left: torch.Tensor, right: torch.Tensor, scale: float, like: torch.Tensor) -> torch.Tensor:
    """scale · left @ right, added to `into` where there is one, in float32."""
    if into is None:
        return torch.mm(left, right).to(like.dtype).mul_(scale)
    if left.dtype == into.dtype:
        added: torch.Tensor = into.addmm_(left, right, alpha=scale)
    else:
        added = into.add_(torch.mm(left, right), alpha=scale)
    return added


@dataclass(eq=False)
class Layers:
    """All adapted layers of a model, and the buffers that hold for a step."""

    every: list[Layer]
    flat: flat.Flat
    held: bool = False
    """Whether what holds for a step is up to date, so that a pass need not look."""
    squares: torch.Tensor | None = None
    """‖W‖² of every row of every layer, in float32."""
    norms: torch.Tensor | None = None
    gains: torch.Tensor | None = None
    groups: list[Any] = field(default_factory=list)
    copies: torch.Tensor | None = None
    """The values in the type that products are computed in; None: they are in it."""

    @torch.no_grad()
    def refresh(self) -> None:
        """Compute anew what holds for a step: after the adapter's values have changed."""
        if self.copies is not None:
            self.copies.copy_(self.flat.values)
        if self.norms is None or self.gains is None or self.squares is None:
            return
        for group in self.groups:
            for layer, product in zip(group.layers, group.products, strict=True):
                torch.mm(layer.dense(), layer.down_t, out=product)
            products = group.products if group.products.dtype == torch.float32 else group.products.float()
            scale = group.layers[0].scale
            small = torch.bmm(group.a, group.a_t)
            mixed = torch.baddbmm(products, group.b, small, beta=2 * scale, alpha=scale * scale)
            torch.sum(mixed.mul_(group.b), 2, out=group.norms)
        self._take_root()

    def _take_root(self) -> None:
        """Norms and gains, from what the adapters add to the squares of the frozen weights."""
        if self.norms is None or self.gains is None or self.squares is None:
            return
        self.norms.add_(self.squares).clamp_min_(SMALLEST).sqrt_()
        if self.gains.dtype == torch.float32:
            torch.div(self.magnitudes, self.norms, out=self.gains)
        else:
            self.gains.copy_(self.magnitudes / self.norms)

    @property
    def magnitudes(self) -> torch.Tensor:
        """m of all layers in one."""
        return self._magnitudes(self.flat.values)

    def _magnitudes(self, whole: torch.Tensor) -> torch.Tensor:
        names = [layer.keys[2] for group in self.groups for layer in group.layers]
        return whole[..., self.flat.spans[names[0]][0] : self.flat.spans[names[-1]][1]]

    def bind(self) -> None:
        """From now on gradients are added to `flat.gradients`; `finish` is due once a step."""
        for layer in self.every:
            a, b, m = (self.flat.part(self.flat.gradients, key) if key else None for key in layer.keys)
            layer.sums = a, b, m

    def release(self) -> None:
        """Gradients go to autograd again."""
        for layer in self.every:
            layer.sums = None

    def finish(self) -> None:
        """Complete a step's gradients: those of the magnitudes lack the division by the norm."""
        if self.norms is not None:
            self._magnitudes(self.flat.gradients).div_(self.norms)

    @contextlib.contextmanager
    def holding(self) -> Iterator[None]:
        """While it lasts the adapter's values stay as they are, and passes look nothing up."""
        self.refresh()
        before, self.held = self.held, True
        try:
            yield
        finally:
            self.held = before


@dataclass(eq=False)
class _Group:
    """Layers of one shape, whose factors lie one after another."""

    layers: list[Layer]
    a: torch.Tensor
    a_t: torch.Tensor
    b: torch.Tensor
    norms: torch.Tensor
    products: torch.Tensor


_known: weakref.WeakKeyDictionary[torch.nn.Module, Layers] = weakref.WeakKeyDictionary()


def of(model: torch.nn.Module) -> Layers | None:
    """The model's own layers, where it has them."""
    found = _known.get(model)
    if found is not None and not found.flat.holds():
        raise RuntimeError("the adapter was moved after its layers were made")
    return found


def known(model: torch.nn.Module) -> Layers:
    """The model's own layers. Raises KeyError where it has none."""
    return _known[model]


def holding(model: torch.nn.Module) -> contextlib.AbstractContextManager[None]:
    """`Layers.holding` of the model, or nothing where peft's layers are in use."""
    found = of(model)
    return contextlib.nullcontext() if found is None else found.holding()


def install(model: torch.nn.Module, *, any_family: bool = False) -> str:
    """Put these layers into peft's modules. The model stays on its device from here on.

    Returns why peft's own stay instead, or an empty text.
    """
    try:
        every = _adapted(model, any_family)
    except _Unfit as why:
        return str(why)
    order = sorted(every, key=lambda layer: layer.shape)
    runs = [[layer.keys[kind] for layer in order] for kind in range(3) if order[0].keys[kind]]
    layers = Layers(order, flat.of(model, runs))
    _prepare(layers)
    _known[model] = layers
    base = model.get_base_model()  # type: ignore[operator]
    base.register_forward_pre_hook(lambda *_: None if layers.held else layers.refresh())
    return ""


class _Unfit(Exception):
    pass


def _adapted(model: torch.nn.Module, any_family: bool) -> list[Layer]:
    from peft import PeftModel
    from peft.tuners.lora import LoraLayer

    from .model import trainable

    if not isinstance(model, PeftModel):
        raise _Unfit("the model has no adapter of peft")
    family = str(getattr(model.get_base_model().config, "model_type", ""))
    if not any_family and family not in FAMILIES:
        raise _Unfit(f"no test holds the family {family!r} to peft")
    found = [_layer(name, module) for name, module in model.named_modules() if isinstance(module, LoraLayer)]
    if not found:
        raise _Unfit("the model has no adapted layer")
    known = {key for layer in found for key in layer.keys if key}
    if known != trainable(model).keys():
        raise _Unfit("something beside the adapter's layers is trained")
    kinds = {(layer.compute, layer.scale, layer.dropout, layer.m is None, layer.a.shape[0]) for layer in found}
    if len(kinds) > 1:
        raise _Unfit("the adapter's layers differ in kind")
    return found


def _layer(name: str, module: Any) -> Layer:
    base, active = module.get_base_layer(), list(module.active_adapters)
    quantised = type(base).__name__ == "Linear4bit"
    if not quantised and type(base) is not torch.nn.Linear:
        raise _Unfit(f"{name} is {type(base).__name__}")
    if active != ["default"] or module.merged or getattr(module, "fan_in_fan_out", False):
        raise _Unfit(f"{name} is not as this adapter makes it")
    variant = module.lora_variant.get("default")
    if variant is not None and type(variant).__name__ != "DoraLinearVariant":
        raise _Unfit(f"{name} has the variant {type(variant).__name__}")
    if module.lora_B["default"].bias is not None:
        raise _Unfit(f"{name} has an adapter with bias")
    dropout = module.lora_dropout["default"]
    if not isinstance(dropout, torch.nn.Identity | torch.nn.Dropout):
        raise _Unfit(f"{name} has the dropout {type(dropout).__name__}")
    dora = module.lora_magnitude_vector["default"] if variant is not None else None
    if quantised:
        compute = base.compute_dtype if base.compute_dtype is not None else base.weight.quant_state.dtype
    else:
        compute = base.weight.dtype
    made = Layer(
        module=module,
        base=base,
        a=module.lora_A["default"].weight,
        b=module.lora_B["default"].weight,
        m=None if dora is None else dora.weight,
        scale=float(module.scaling["default"]),
        dropout=float(dropout.p) if isinstance(dropout, torch.nn.Dropout) else 0.0,
        compute=compute,
        quantised=quantised,
        keys=(f"{name}.lora_A.weight", f"{name}.lora_B.weight", f"{name}.lora_magnitude_vector" if dora else ""),
    )
    if not quantised:
        made.weight = base.weight.detach()
        made.transposed = made.weight.t()
    return made


@torch.no_grad()
def _prepare(layers: Layers) -> None:
    whole, first = layers.flat, layers.every[0]
    values = whole.values
    if first.compute != values.dtype:
        layers.copies = values.to(first.compute)
    step = values if layers.copies is None else layers.copies
    rows = sum(layer.b.shape[0] for layer in layers.every)
    if first.m is not None:
        layers.squares, layers.norms = (torch.zeros(rows, dtype=torch.float32, device=values.device) for _ in "ab")
        layers.gains = torch.zeros(rows, dtype=first.compute, device=values.device)
    shapes: dict[tuple[int, ...], list[Layer]] = {}
    start = 0
    for layer in layers.every:
        layer.down, layer.up = whole.part(step, layer.keys[0]), whole.part(step, layer.keys[1])
        layer.down_t, layer.up_t = layer.down.t(), layer.up.t()
        shapes.setdefault(layer.shape, []).append(layer)
        if layers.squares is not None and layers.norms is not None and layers.gains is not None:
            end = start + layer.b.shape[0]
            layers.squares[start:end] = torch.linalg.vector_norm(layer.dense().float(), dim=1).square()
            layer.norm, layer.gain = layers.norms[start:end], layers.gains[start:end]
            start = end
        layer.put()
    start = 0
    for (out, inner), inside in shapes.items():
        if layers.norms is None:
            break
        count, rank = len(inside), inside[0].a.shape[0]
        a = _stack(whole, values, [layer.keys[0] for layer in inside], (count, rank, inner))
        b = _stack(whole, values, [layer.keys[1] for layer in inside], (count, out, rank))
        products = torch.empty(count, out, rank, dtype=first.compute, device=values.device)
        norms = layers.norms[start : start + count * out].view(count, out)
        layers.groups.append(_Group(inside, a, a.transpose(1, 2), b, norms, products))
        start += count * out


def _stack(whole: flat.Flat, values: torch.Tensor, names: list[str], shape: tuple[int, ...]) -> torch.Tensor:
    start, end = whole.spans[names[0]][0], whole.spans[names[-1]][1]
    return values[start:end].view(shape)
