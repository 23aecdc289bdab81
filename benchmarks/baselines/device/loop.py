"""Device: a loop that makes a pulse, does the application's work and sleeps until the next is due. Needs `pulse`."""


def run():
    ticks_us, ticks_diff, ticks_add = time.ticks_us, time.ticks_diff, time.ticks_add
    turn = 0
    due = ticks_us()
    while True:
        if turn < PULSES:
            pulse(WIDTH, GAP)
        work()
        turn = (turn + 1) % CYCLE
        due = ticks_add(due, PERIOD)  # from the time that was due: an error does not add up
        left = ticks_diff(due, ticks_us())
        while left < -(PERIOD // 2):  # far too late: left out, or pulses would crowd
            turn = (turn + 1) % CYCLE
            due = ticks_add(due, PERIOD)
            left += PERIOD
        if left > 0:
            sleep_us(left)


sleep_us = time.sleep_us
run()
