"""The dashboard; the only importer of Textual.

``app.run_dashboard`` opens it, ``main_screen`` brings its parts together, ``actions``
run when a key is pressed. It reaches the engine only through ``core.service`` and has
no rules about downloads. Nothing that runs per chunk belongs here.
"""

import os

# Textual reads at import how long it waits after ESC for the rest of a key sequence.
# Its default of 100 ms makes Esc feel slow; 25 ms is still ten times what terminals
# need, even over most SSH links.
os.environ.setdefault("ESCDELAY", "25")
