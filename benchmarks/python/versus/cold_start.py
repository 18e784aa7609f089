"""One image predicted by one engine: python -m versus.cold_start PEER VARIANT NETWORK FOLDER"""

import importlib
import sys
from pathlib import Path

from versus.cases import LATENCY, Case
from versus.peers import PEERS

peer, variant, network, folder = sys.argv[1:]
engine = importlib.import_module(PEERS[peer].module)
engine.prepare(Case(network, LATENCY, 1), variant, Path(folder)).step()
