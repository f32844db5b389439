"""Options that stand for settings of a search space."""

import pytest

from autohier.cli.options import with_protocol
from autohier.config.search.loading import load_space


@pytest.mark.parametrize("start", ["12", "true", "my sweep:t0001", 'C:\\a"b', "Größe", "体操😀"])
def test_any_name_of_a_start_reaches_the_space(start: str) -> None:
    overrides = with_protocol(None, drop_duplicates=False, clips_per_class=3, start=start)
    space = load_space("demo", overrides)
    assert (space.recognizer.start, space.protocol.clips_per_class) == (start, 3)
    assert not space.protocol.drop_duplicates
