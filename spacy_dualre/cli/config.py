"""`spacy-dualre config`: make a complete training config from what differs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from spacy.cli._util import parse_config_overrides
from spacy.util import load_config, load_model_from_config
from thinc.api import Config
from wasabi import msg

from ._util import app, fail_on_error

# What all trainings share.
BASE = Path(__file__).parent.parent / "data" / "base.cfg"


@app.command(
    "config",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def config_cli(
    ctx: typer.Context,
    changes: Annotated[Path, typer.Argument(help="Partial config", exists=True)],
    output: Annotated[Path, typer.Argument(help="Config file to write")],
) -> None:
    """Complete a partial config with what all trainings share, apply overrides
    (--section.key value), fill in the defaults, and write it for `spacy train`.
    """
    with fail_on_error():
        own = load_config(changes, interpolate=False)
        config = complete_config(own, parse_config_overrides(ctx.args))
        output.parent.mkdir(parents=True, exist_ok=True)
        config.to_disk(output)
    msg.good(f"Wrote {output}")


def complete_config(
    changes: dict[str, Any] | Config, overrides: Mapping[str, Any] | None = None
) -> Config:
    """Make a complete config of a partial one.

    changes (Union[Dict[str, Any], Config]): A partial config. Its values take
        precedence over those that all trainings share.
    overrides (Optional[Mapping[str, Any]]): Values by dotted path, which come last.
    RETURNS (Config): The config, with all defaults filled in.
    RAISES (ConfigValidationError): If the result is no valid config.
    """
    merged = load_config(BASE, interpolate=False).merge(changes)
    filled = load_model_from_config(
        Config().from_str(
            merged.to_str(), interpolate=False, overrides=dict(overrides or {})
        ),
        auto_fill=True,
    )
    return filled.config
