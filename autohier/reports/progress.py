"""How far a sweep is, in one sentence."""

from __future__ import annotations

from collections import Counter

from autohier.records.reader import Records


def progress_text(records: Records, *, target: int) -> str:
    """Settings tried of the target, by state, and what reuse spared."""
    of_study = [row for row in records.trials if row.number is not None]
    states = {state: sum(row.state == state for row in of_study) for state in ("COMPLETE", "PRUNED", "FAIL")}
    failures = Counter(row.failure for row in of_study if row.state == "FAIL")
    classes = ", ".join(f"{number} {failure}" for failure, number in failures.most_common())
    taken_back = sum(row.state == "TAKEN BACK" for row in of_study)
    trained = sum(row.epochs_computed or 0 for row in of_study)
    spared = sum(row.epochs_spared or 0 for row in of_study)
    running = sum(row.state == "RUNNING" for row in of_study)
    return (
        f"{sum(states.values())} of {target} settings tried: {states['COMPLETE']} complete, "
        f"{states['PRUNED']} stopped, {states['FAIL']} failed{f' ({classes})' if classes else ''}; "
        f"{running} begun and not ended{f', {taken_back} taken back to run again' if taken_back else ''}; "
        f"trials trained {trained} epochs and were spared {spared} by finished stages"
    )
