"""Frozen modules of every board: the port's own, asyncio, and the firmware laid out in RHEO_STAGE."""

freeze("$(PORT_DIR)/modules")
include("$(MPY_DIR)/extmod/asyncio")
freeze("$(RHEO_STAGE)")
