"""Reference board: what firmware, host, emulator and bench know of it.

A literal only: the host reads it without running it. Keys: docs/new-board.md.
"""

BOARD = {
    "name": "RHEO_PICO",
    "schema": 1,  # version of this table's shape
    "clk_sys_hz": 125_000_000,
    "clock_ppm": 30,  # tolerance of the crystal
    # Legs: contiguous from leg_base, A then B of each channel; active-high (low is off, everywhere).
    "leg_base": 2,
    "channels": [
        {"n": 1, "leg_a": 2, "leg_b": 3, "dac": 10, "mux_current": 0, "mux_voltage": 1},
        {"n": 2, "leg_a": 4, "leg_b": 5, "dac": 11, "mux_current": 2, "mux_voltage": 3},
        {"n": 3, "leg_a": 6, "leg_b": 7, "dac": 12, "mux_current": 4, "mux_voltage": 5},
    ],
    "isolated": True,  # channels galvanically isolated from each other (the output stage's duty)
    "interlock": 9,  # closed = high; pull-down, so a broken wire is open
    "mux_select": [18, 19, 20],  # least significant first, 8:1 multiplexer into sense_adc
    "mux_supply": 6,
    "sense_adc": 26,
    # Ratings of the output stage. Set-point: duty 0..1 of the DAC <-> 0..full_scale_ua, first-order filter.
    "full_scale_ua": 50_000,
    "max_ua": 50_000,
    "compliance_mv": 60_000,
    "filter_tau_us": 5_000,
    "dac_top": 4095,  # 12 bit at clk_sys / 4096 = 30.5 kHz
    # Sense: 0..3.3 V at the ADC <-> these.
    "sense_current_full_ua": 60_000,
    "sense_voltage_full_mv": 66_000,
    "sense_supply_full_mv": 16_500,
    "supply_mv": 9_000,
    "supply_min_mv": 7_000,
    "spare": [16, 17, 21, 22],  # free for the bench and for mpremote
}
