"""Electrodes: the area of a needle or a pad, in cmm2 (hundredths of a mm2). Numbers only; judges nothing.

A needle's area is its inserted surface, pi * diameter * length. Where nobody tells it, the smallest
of the usual ones is assumed.
"""

PI_E9 = 3_141_592_653  # rounded down, like every area here: a density is never under-stated

AREA_CMM2 = {"needle": (100, 50_000), "skin": (10_000, 4_000_000)}  # what may be told: 0.01..5 cm2, 1..400 cm2


def needle_cmm2(diameter_um, inserted_um):
    """Area of an inserted needle in cmm2, rounded down. 0.25 x 30 mm: 2356 (0.236 cm2)."""
    return diameter_um * inserted_um * PI_E9 // 10_000_000_000_000


ASSUMED_CMM2 = {"needle": needle_cmm2(160, 15_000), "skin": 250_000}  # contract: 0.16 x 15 mm; 25 cm2


def area_cmm2(cfg):
    """Area that a channel's configuration tells, or what is assumed."""
    return cfg.get("area_cmm2") or ASSUMED_CMM2[cfg["electrode"]]
