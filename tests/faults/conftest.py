"""The number of rounds per kind of fault: CAVE_FAULT_ROUNDS, 1 by default."""

import os

ROUNDS = int(os.environ.get("CAVE_FAULT_ROUNDS", "1"))
