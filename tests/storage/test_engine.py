"""What every connection to the engine has in common."""

from __future__ import annotations

import subprocess
import sys


def test_a_spawned_process_draws_no_progress_amid_what_it_prints() -> None:
    asked = "SELECT current_setting('enable_progress_bar')"
    code = f"""from storage.engine import Limits, open_engine
with open_engine(Limits()) as engine:
    print(engine.execute({asked!r}).fetchall())"""
    # Given with -c, as to a spawned process: there the library turns it on by itself.
    told = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert told.strip() == "[(False,)]"
