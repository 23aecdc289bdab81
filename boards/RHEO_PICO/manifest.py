"""Frozen modules of RHEO_PICO: those of every board."""

include("../common/manifest.py")
