"""A record's telemetry as CSV, a row a channel and sample. Reads a RecordReader; keeps nothing."""

import csv

COLUMNS = ("dev_us", "state", "channel", "set_ua", "meas_ua", "ohms", "pulses", "charge_nc", "fault")


def rows(reader):
    """The rows of the CSV: one a channel and telemetry line; a fault has a row of its own, without a channel."""
    for line in reader.lines:
        if line["kind"] == "telemetry":
            common = {"dev_us": line.get("dev_us"), "state": line.get("state"), "fault": line.get("fault")}
            channels = line.get("channels")
            for channel, values in channels.items() if isinstance(channels, dict) else ():
                yield {**common, "channel": channel, **values}
        elif line["kind"] == "fault":
            yield {"dev_us": line.get("dev_us"), "state": "fault", "fault": line.get("fault")}


def write(reader, out):
    """Write the rows as CSV (COLUMNS; nothing known = empty) to the text file `out`. Returns their count."""
    writer = csv.DictWriter(out, COLUMNS, restval="", extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    count = 0
    for row in rows(reader):
        writer.writerow({key: "" if value is None else value for key, value in row.items()})
        count += 1
    return count
