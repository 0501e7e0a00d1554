"""Tables and trajectories from files, and files written atomically."""

from erlangen._columns import DataWarning as DataWarning
from erlangen._files import check_target as check_target
from erlangen._files import save_arrays as save_arrays
from erlangen._files import to_json as to_json
from erlangen._files import write_json as write_json
from erlangen._files import write_text as write_text
from erlangen.io.blocks import read_blocks as read_blocks
from erlangen.io.read import Generators as Generators
from erlangen.io.read import read_cloud as read_cloud
from erlangen.io.read import read_function_table as read_function_table
from erlangen.io.read import read_generators as read_generators
from erlangen.io.read import read_trajectories as read_trajectories
from erlangen.io.tables import read_table as read_table

__all__ = [
    "DataWarning",
    "Generators",
    "check_target",
    "read_blocks",
    "read_cloud",
    "read_function_table",
    "read_generators",
    "read_table",
    "read_trajectories",
    "save_arrays",
    "to_json",
    "write_json",
    "write_text",
]
