"""The dashboard; the only importer of Textual."""

import os

# Textual reads this at import: how long it waits after ESC for the rest of a key
# sequence. Its 100 ms would make Esc the one key that feels slow; 25 ms is still ten
# times what terminals take, also over most SSH links.
os.environ.setdefault("ESCDELAY", "25")
