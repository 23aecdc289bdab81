"""Frozen modules of a stock image: the port's own and asyncio; micropython-lib is not needed. Nothing of ours."""

freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
