"""Put a method into a model, count what trains, and merge what can be merged."""

from collections.abc import Callable, Mapping
from functools import partial

from torch import nn

from llm.models.checkpoint import few
from llm.models.gpt import GPT
from llm.peft.layers import (
    AdapterLinear,
    LoRALinear,
    Mergeable,
    ScaledLinear,
    injected,
)
from llm.peft.methods import (
    IA3,
    Adapters,
    BitFit,
    LoRA,
    Method,
    Patterns,
    PrefixTuning,
    PromptTuning,
    PTuning,
    matches,
)
from llm.peft.prompts import Encoded, Prefixed, Prompted, Vectors
from llm.peft.quantize import Linear, NF4Linear


def inject(model: nn.Module, method: Method, *, also: Patterns = ()) -> nn.Module:
    """Freeze `model`, and let `method` train instead.

    Args:
        model: is changed in place; no number of it is.
        method: what to train.
        also: patterns of parameters that train besides, such as a new head.

    Returns:
        What to train and to call: `model` itself; for learned prompts and prefixes,
        a module around it that is called as it is (around the GPT, if `model` is a head
        on one).

    Raises:
        ValueError: a pattern matches nothing, the model holds a method already, or is
            none that the method works with.
    """
    refuse_second(model)
    base = dict(model.named_parameters())
    check_matched(also, base, kind="parameter")
    tuned, made = model, {}
    by: Callable[[Linear], nn.Module]
    match method:
        case LoRA():
            by = partial(
                LoRALinear,
                rank=method.rank,
                scale=method.scale,
                dropout=method.dropout,
                dora=method.dora,
            )
            made = stand_ins(model, method.targets, by=by)
        case IA3():
            by = partial(ScaledLinear, side="output")
            made = stand_ins(model, method.outputs, by=by)
            by = partial(ScaledLinear, side="input")
            made |= stand_ins(model, method.inputs, by=by)
        case Adapters():
            by = partial(AdapterLinear, width=method.width)
            made = stand_ins(model, method.targets, by=by)
        case BitFit():
            check_matched(method.targets, base, kind="parameter")
            also += method.targets
        case _ if isinstance(below := getattr(model, "model", None), GPT):
            model.model = with_prompt(below, method)  # under a head
        case _:
            tuned = with_prompt(model, method)
    for name, parameter in base.items():
        parameter.requires_grad_(matches(name, also))
    for name, layer in made.items():
        model.set_submodule(name, layer)
    return tuned


def with_prompt(
    model: nn.Module, method: PromptTuning | PTuning | PrefixTuning
) -> Prompted | Prefixed:
    """`model` with learned positions before the text.

    Raises:
        ValueError: it is no GPT, or one without room for them.
    """
    if not isinstance(model, GPT):
        kind, name = type(model).__name__, type(method).__name__
        raise ValueError(f"{name} works with a GPT, and this is a {kind}")
    if isinstance(method, PrefixTuning):
        return Prefixed(model, tokens=method.tokens)
    prompt: Vectors | Encoded
    if isinstance(method, PromptTuning):
        prompt = Vectors(method.tokens, model.embedding)
    else:
        prompt = Encoded(method.tokens, model.embedding, hidden=method.hidden)
    return Prompted(model, prompt, tokens=method.tokens)


def stand_ins(
    model: nn.Module, targets: Patterns, *, by: Callable[[Linear], nn.Module]
) -> dict[str, nn.Module]:
    """What shall stand in for every linear layer whose name is a target, by name.

    Raises:
        ValueError: a target matches nothing, or a layer that is tied to another.
    """
    layers = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Linear | NF4Linear)
    }
    check_matched(targets, layers, kind="linear layer")
    chosen = [name for name in layers if matches(name, targets)]
    for name in chosen:
        refuse_tied(model, name)
    return {name: by(layers[name]) for name in chosen}


def trainable(model: nn.Module) -> str:
    """How many numbers of `model` train, in a line; weights in NF4 count as numbers."""
    parameters = list(model.parameters())
    count = sum(p.numel() for p in parameters if p.requires_grad)
    total = sum(p.numel() for p in parameters)
    for layer in model.modules():
        if isinstance(layer, NF4Linear):
            total += layer.in_features * layer.out_features
    return f"{count:,} of {total:,} parameters train ({count / total:.2%})"


def merge(model: nn.Module) -> dict[str, Mergeable]:
    """Replace every layer of LoRA or IA3 by one linear layer that computes the same.

    The model is then what it was before `inject`, with other weights: it is as fast,
    and is saved as any other. A base in NF4 comes out as float.

    Returns:
        The layers taken out, by name, for `unmerge`.

    Raises:
        ValueError: there is none, or something that no linear layer can compute.
    """
    if isinstance(model, Prompted | Prefixed):
        raise ValueError("learned positions cannot be merged into weights")
    layers: dict[str, Mergeable] = {}
    for name, layer in injected(model):
        if isinstance(layer, AdapterLinear):
            raise ValueError(f"{name}: an adapter is not linear and cannot be merged")
        layers[name] = layer
    if not layers:
        raise ValueError("nothing to merge: the model has no LoRA and no IA3")
    for name, layer in layers.items():
        model.set_submodule(name, layer.merged())
    return layers


def unmerge(model: nn.Module, layers: Mapping[str, Mergeable]) -> None:
    """Put back what `merge` took out; their base weights were never touched."""
    for name, layer in layers.items():
        model.set_submodule(name, layer)


def check_matched(targets: Patterns, names: Mapping[str, object], *, kind: str) -> None:
    """Refuse targets that match none of `names`."""
    for target in targets:
        if not any(matches(name, (target,)) for name in names):
            # The last two words tell a layer; the numbers of blocks do not.
            known = sorted({".".join(name.split(".")[-2:]) for name in names})
            raise ValueError(f"no {kind} matches {target!r}: there are {few(known)}")


def refuse_tied(model: nn.Module, name: str) -> None:
    """Refuse a layer whose weight is another's, too, and would follow its change."""
    weights = model.state_dict(keep_vars=True)
    own = weights.get(f"{name}.weight")
    for other, tensor in weights.items():
        if tensor is own and other != f"{name}.weight":
            raise ValueError(f"{name} is tied to {other}, and cannot change alone")


def refuse_second(model: nn.Module) -> None:
    """Refuse a model that holds a method already."""
    kinds = (LoRALinear, ScaledLinear, AdapterLinear, Prompted, Prefixed)
    for layer in model.modules():
        if isinstance(layer, kinds):
            kind = type(layer).__name__
            raise ValueError(f"the model holds a method already ({kind}): merge it")
