"""Data in blocks that need not fit into memory, and the two engines that reduce them."""

from erlangen.blocks.engine import AbstractEngine as AbstractEngine
from erlangen.blocks.engine import DaskEngine as DaskEngine
from erlangen.blocks.engine import SerialEngine as SerialEngine
from erlangen.blocks.engine import connected as connected
from erlangen.blocks.engine import local_cluster as local_cluster
from erlangen.blocks.reduction import AbstractReduction as AbstractReduction
from erlangen.blocks.reduction import Factored as Factored
from erlangen.blocks.reduction import Summary as Summary
from erlangen.blocks.reduction import Summed as Summed
from erlangen.blocks.source import AbstractBlocks as AbstractBlocks
from erlangen.blocks.source import as_blocks as as_blocks
from erlangen.blocks.source import generated as generated
from erlangen.blocks.source import in_blocks as in_blocks

__all__ = [
    "AbstractBlocks",
    "AbstractEngine",
    "AbstractReduction",
    "DaskEngine",
    "Factored",
    "SerialEngine",
    "Summary",
    "Summed",
    "as_blocks",
    "connected",
    "generated",
    "in_blocks",
    "local_cluster",
]
