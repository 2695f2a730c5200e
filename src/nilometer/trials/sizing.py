"""How long the trial of a plan has to be, from a pilot that the plan's own sources hold."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from nilometer.errors import TrialError
from nilometer.trials.comparison import endpoint_of, pairs_of
from nilometer.trials.gathering import gather
from nilometer.trials.inference.deciding import margin_of, within
from nilometer.trials.inference.power import Sizing, size_of_trial
from nilometer.trials.joining import join_references
from nilometer.trials.planning.plan import Plan

if TYPE_CHECKING:
    from nilometer.trials.gathering import Rows

__all__ = ["EndpointSize", "sizes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointSize:
    """What one endpoint of one comparison asks for.

    Parameters
    ----------
    candidate, reference, endpoint : str
        Names in the plan.
    sizing : Sizing or None
        None where the pilot cannot say.
    reason : str
        Why it cannot.
    """

    candidate: str
    reference: str
    endpoint: str
    sizing: Sizing | None
    reason: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return asdict(self)

    def told(self) -> str:
        """Return it as a sentence."""
        if self.sizing is None:
            return self.reason
        one = self.sizing
        samples = f"{one.grab_samples} grab samples at least {_length(one.apart_s)} apart"
        text = (
            f"{one.days:.1f} days ({one.pairs} pairs, worth {one.effective:.0f} independent ones), or {samples}, "
            f"for power {one.power:g} at a true difference of {one.difference:.3g} and a margin of {one.margin:.3g}"
        )
        if one.by_references:
            text += "; " + ", ".join(
                f"{days:.1f} days with {count} references" for count, days in one.by_references.items()
            )
        return f"{text}. {one.note}" if one.note else text


def sizes(
    plan: Plan,
    folder: str | Path = ".",
    *,
    rows: Rows | None = None,
    power: float = 0.8,
    difference: float | None = None,
    arbiter_uncertainty: float = 0.0,
) -> list[EndpointSize]:
    """Return what each endpoint of a plan asks for, beside each reference.

    Parameters
    ----------
    plan : Plan
        Its sources hold the pilot.
    folder, rows
        As in `run_trial`.
    power, difference, arbiter_uncertainty
        As in `size_of_trial`.

    Raises
    ------
    ReadError, ConfigError, UnitError
        If the pilot cannot be read, or margins and power cannot be meant.
    TrialError
        If nothing can be paired.
    """
    gathered = gather(plan, folder, rows=rows)
    references, _ = join_references(plan, gathered)
    found = []
    for candidate in gathered.candidates.values():
        for reference in references.values():
            try:
                pairs, _, _ = pairs_of(plan, gathered, candidate, reference)
            except TrialError:
                raise
            except ValueError as error:
                raise TrialError(str(error), candidate=candidate.name, reference=reference.name) from error
            for told in plan.endpoint:
                endpoint = endpoint_of(told, pairs.unit, plan.strata.share)
                mine = pairs.take(within(pairs, endpoint.condition))
                names = {"candidate": candidate.name, "reference": reference.name, "endpoint": told.name}
                try:
                    sizing = size_of_trial(
                        mine,
                        endpoint,
                        margin_of(endpoint, mine),
                        power=power,
                        difference=difference,
                        arbiter_uncertainty=arbiter_uncertainty,
                    )
                except ValueError as error:
                    found.append(EndpointSize(**names, sizing=None, reason=str(error)))
                else:
                    found.append(EndpointSize(**names, sizing=sizing))
    return found


def _length(seconds: float) -> str:
    for size, unit in ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
