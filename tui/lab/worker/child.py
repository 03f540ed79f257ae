"""Run one strategy as a process: ``python -m tui.lab.worker.child JOB``.

Nothing is imported at the top: each worker of a process pool first imports its parent's
main module again.
"""

from __future__ import annotations

if __name__ == "__main__":
    from tui.lab.worker.harness import main

    main()
