"""`spacy-dualre config`: make a complete training config from a shared one."""

from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import parse_config_overrides
from spacy.util import load_config, load_model_from_config
from thinc.api import Config
from wasabi import msg

from ._util import app, fail_on_error


@app.command(
    "config",
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
)
def config_cli(
    ctx: typer.Context,
    base: Annotated[Path, typer.Argument(help="Shared config", exists=True)],
    changes: Annotated[Path, typer.Argument(help="What differs", exists=True)],
    output: Annotated[Path, typer.Argument(help="Config file to write")],
) -> None:
    """Merge two configs, apply overrides (--section.key value), fill in the defaults,
    and write a complete config for `spacy train`.
    """
    with fail_on_error():
        config = merge_configs(base, changes, parse_config_overrides(ctx.args))
        output.parent.mkdir(parents=True, exist_ok=True)
        config.to_disk(output)
    msg.good(f"Wrote {output}")


def merge_configs(base: Path, changes: Path, overrides: dict | None = None) -> Config:
    """Merge two configs and fill in the defaults.

    base (Path): The shared config.
    changes (Path): A partial config, whose values take precedence.
    overrides (Optional[Dict]): Values by dotted path, which come last.
    RETURNS (Config): The complete config.
    RAISES (ConfigValidationError): If the result is no valid config.
    """
    own = Config().from_disk(changes, interpolate=False)
    merged = load_config(base, interpolate=False).merge(own)
    filled = load_model_from_config(
        Config().from_str(
            merged.to_str(), interpolate=False, overrides=overrides or {}
        ),
        auto_fill=True,
    )
    return filled.config
