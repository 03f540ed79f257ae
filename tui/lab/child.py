"""``python -m tui.lab.child JOB``: a strategy in a process of its own (``harness``).

Nothing is imported at the top: the workers of a process pool import their parent's main
module again, each of them, before they do anything.
"""

from __future__ import annotations

if __name__ == "__main__":
    from tui.lab.harness import main

    main()
