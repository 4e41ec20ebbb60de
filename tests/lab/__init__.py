# SPDX-License-Identifier: BSD-3-Clause
"""The laboratory: processes, namespaces, guests and peers that tests, the demo and the benchmark use.

Everything that is started belongs to an object with stop() or close(); children die with their
parent (PR_SET_PDEATHSIG), and namespaces are anonymous, so nothing survives even a SIGKILL of the
test run. Nothing is ever ended by its name.
"""
