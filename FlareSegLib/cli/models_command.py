"""``flareseg models``: what is installed, what it is, bringing in more."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable
from typing import Any

from .parsers import Commands

#: Nested facts of a description that fit on a line of so many characters stand on one.
LINE_WIDTH = 160


def add_parser(commands: Commands) -> None:
    """Add the command and its actions to the subparsers."""
    parser = commands.add_parser("models", help="list, inspect, verify, import and remove models",
                                 description="Look after the models that flareseg segment can use.")
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    _add_action(actions, "list", list_models, "list the installed models")
    _add_action(actions, "info", show_model, "tell what a model is, its training data and its limits", "NAME|FOLDER")
    _add_action(actions, "verify", verify_model, "check that a model is complete and unchanged", "NAME|FOLDER")
    importing = _add_action(actions, "import", import_model, "import a model bundle or a 2D model of nnU-Net", "PATH")
    importing.add_argument("--name", help="name of the imported model (default: its own)")
    _add_action(actions, "remove", remove_model, "remove an imported model", "NAME")


def _add_action(actions: Commands, name: str, run: Callable[[argparse.Namespace], None], description: str,
                argument: str | None = None) -> argparse.ArgumentParser:
    parser = actions.add_parser(name, help=description, description=f"{description[0].upper()}{description[1:]}.")
    if argument:
        parser.add_argument("model", metavar=argument)
    parser.set_defaults(run=run)
    return parser


def list_models(options: argparse.Namespace) -> None:
    """Print one line a model; broken ones with the reason."""
    from ..models.store import DEFAULT_MODEL, broken_bundles, is_shipped, list_bundles

    for bundle in list_bundles():
        origin = "shipped" if is_shipped(bundle) else "imported"
        mark = ", default" if bundle.name == DEFAULT_MODEL else ""
        organs = ", ".join(organ.name for organ in bundle.organs)
        print(f"{bundle.name} {bundle.version} ({origin}{mark}): {bundle.title}; {organs}")
    for folder, error in broken_bundles():
        print(f"{folder.name} (unusable): {error}")


def show_model(options: argparse.Namespace) -> None:
    """Print everything that the description says."""
    from ..models.store import find_bundle
    from ..networks.complexity import parameter_count

    bundle = find_bundle(options.model)
    spacing = "the CT's own" if bundle.working_spacing is None else _times(bundle.working_spacing, " mm")
    norm = bundle.normalisation
    widths = ", ".join(map(str, bundle.network.features))
    window = f", {bundle.network.window} slices at once" if bundle.network.window else ""
    if bundle.network.in_channels > 1:
        window = f", each slice seen with {bundle.network.in_channels - 1} of its neighbours"
    facts = {
        "name": f"{bundle.name} {bundle.version}",
        "title": bundle.title,
        "organs": ", ".join(f"{organ.label} {organ.name}" for organ in bundle.organs),
        "intended use": bundle.intended_use,
        "licence": bundle.licence,
        "network": f"{bundle.network.title}, {parameter_count(bundle.network):,} parameters, widths {widths}",
        "grid": f"{_times(bundle.grid)} at {spacing}{window}",
        "normalisation": f"clip to {norm.lower:g} to {norm.upper:g} HU, mean {norm.mean:g}, sd {norm.sd:g}",
        "weights": f"SHA-256 {bundle.weights_sha256}",
        "folder": bundle.folder,
    }
    width = max(map(len, facts))
    for name, value in facts.items():
        print(f"{name:<{width}}  {value}")
    if bundle.training:
        print("training")
        print(_indented(bundle.training))


def verify_model(options: argparse.Namespace) -> None:
    """Check the weights against the description."""
    from ..models.bundle import verify_bundle
    from ..models.store import find_bundle

    bundle = find_bundle(options.model)
    verify_bundle(bundle)
    print(f"{bundle.name} {bundle.version} is complete and unchanged.")


def import_model(options: argparse.Namespace) -> None:
    """Copy or convert a model into the user's folder."""
    from ..models.store import import_bundle

    bundle = import_bundle(options.model, options.name)
    print(f"Imported {bundle.name} {bundle.version} to {bundle.folder}.")


def remove_model(options: argparse.Namespace) -> None:
    """Delete an imported model."""
    from ..models.store import remove_bundle

    remove_bundle(options.model)
    print(f"Removed {options.model}.")


def _times(numbers: Iterable[float], unit: str = "") -> str:
    return " x ".join(f"{number:g}" for number in numbers) + unit


def _indented(value: dict[str, Any] | list[Any], depth: int = 1) -> str:
    """Nested dictionaries and lists as indented lines: what fits on a line stands on one, else one fact each."""
    pairs: Iterable[tuple[str | None, Any]] = (
        value.items() if isinstance(value, dict) else ((None, item) for item in value))
    lines = []
    for name, item in pairs:
        head = "  " * depth + ("-" if name is None else f"{name}:")
        line = f"{head} {_inline(item)}"
        if isinstance(item, (dict, list)) and len(line) > LINE_WIDTH:
            line = f"{head}\n{_indented(item, depth + 1)}"
        lines.append(line)
    return "\n".join(lines)


def _inline(value: Any) -> str:
    """A value on one line; what is empty, or nested in what is nested, in brackets."""
    if isinstance(value, dict) and value:
        return "; ".join(f"{name}: {_within(item)}" for name, item in value.items())
    if isinstance(value, list) and value:
        return ", ".join(map(_within, value))
    return "none" if value in ({}, []) else str(value)


def _within(value: Any) -> str:
    return f"({_inline(value)})" if isinstance(value, (dict, list)) else str(value)
