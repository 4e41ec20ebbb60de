# SPDX-License-Identifier: BSD-3-Clause
"""These run in the nested machine only: test_nested.py starts them."""
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2]))
collect_ignore_glob = [] if os.environ.get("VSW_NESTED") else ["test_*.py"]
