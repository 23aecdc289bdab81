"""Device: one pulse as most programs make it: pin methods (bound ahead) and sleep_us."""

a_on, a_off, b_on, b_off, sleep_us = leg_a.on, leg_a.off, leg_b.on, leg_b.off, time.sleep_us


def plain_pulse(width, gap):
    a_on()
    sleep_us(width)
    a_off()
    sleep_us(gap)
    b_on()
    sleep_us(width)
    b_off()
