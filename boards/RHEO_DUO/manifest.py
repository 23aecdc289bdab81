"""Frozen modules of RHEO_DUO: those of every board."""

include("../common/manifest.py")
