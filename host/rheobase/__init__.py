"""Rheobase host package: flash, deploy, run, log and prove the stimulator. Nothing here runs on the device."""

__version__ = "0.1.0"
