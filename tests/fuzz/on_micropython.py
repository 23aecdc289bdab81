"""Feeds a file of shots to the device's parser under MicroPython; runs.micropython() calls it.

Words: the folders of rheocore and of the tests, the board's description as JSON, the shots:
lines, each "<ms> <hex of the bytes>".
Prints every reply, each a line, and last the counts as JSON.
"""

import binascii
import gc
import json
import sys

sys.path[:0] = sys.argv[1:3]
from fuzz.device import Device  # noqa: E402

with open(sys.argv[3]) as file:
    device = Device(json.load(file))
number = early = 0
with open(sys.argv[4]) as file:
    for shot in file:
        ms, data = shot[:-1].split(" ")
        try:
            for reply in device.feed(binascii.unhexlify(data)):
                sys.stdout.buffer.write(reply)
            if ms != "0":
                device.pass_time(int(ms))
        except BaseException:
            print("shot", number, binascii.unhexlify(data)[:500])
            raise
        number += 1
        if number % 1000 == 0:
            gc.collect()
            early = early or gc.mem_alloc()
gc.collect()
device.counts["bytes_kept"] = gc.mem_alloc() - early if early else 0
print(json.dumps(device.counts))
