"""How many rounds each kind of fault is tried: CAVE_FAULT_ROUNDS, 1 unless set."""

import os

ROUNDS = int(os.environ.get("CAVE_FAULT_ROUNDS", "1"))
