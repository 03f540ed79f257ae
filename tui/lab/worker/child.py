"""Run one strategy as a process: ``python -m tui.lab.worker.child JOB``.

Nothing is imported at the top: the workers of a process pool import their parent's main
module again, each of them, before they do anything.
"""

from __future__ import annotations

if __name__ == "__main__":
    from tui.lab.worker.harness import main

    main()
