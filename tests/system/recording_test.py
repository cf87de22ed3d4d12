"""Recorded machines: real pump recordings through the whole loop, judged by their labels."""
import csv
import json
import re
import unittest

from stator_site import Site, data_folder

MAP = (
    "time=datetime,accelerometer_1=Accelerometer1RMS,accelerometer_2=Accelerometer2RMS,"
    "current=Current,flow=Volume Flow RateRMS,label=anomaly"
)


BASELINE_ROWS = 400  # the SKAB protocol's


def labels_of(file):
    with open(file, newline="") as rows:
        return [float(row["anomaly"]) != 0 for row in csv.DictReader(rows, delimiter=";")]


def alarms_of(site):
    """What the device said of each row, as the log has it: one reading a row, in order."""
    told = {}
    for line in site.stator("log", "tail", "--class", "telemetry", "--all").stdout.splitlines():
        reading = json.loads(line[line.find("{"):])
        told[(reading["boot"], reading["seq"])] = reading.get("alarm", False)
    return [told[key] for key in sorted(told)]


def figures(labels, alarms):
    """By the definitions: F1 = 2 TP / (2 TP + FP + FN), rates of the healthy and of the faulty rows."""
    pairs = list(zip(alarms, labels))[BASELINE_ROWS:]
    counts = {pair: pairs.count(pair) for pair in ((True, True), (True, False), (False, True), (False, False))}
    tp, fp, fn, tn = counts.values()
    events = sum(1 for n, (alarm, label) in enumerate(pairs)
                 if alarm and not label and (n == 0 or not pairs[n - 1][0]))  # fmt: skip
    hits = [n for n, pair in enumerate(pairs) if pair == (True, True)]
    found = "MISSED, delay -"
    if hits:
        onset = hits[0]
        while onset > 0 and pairs[onset - 1][1]:
            onset -= 1
        found = f"found, delay {hits[0] - onset} rows"
    return [str(events), found, f"{2 * tp / (2 * tp + fp + fn):.3f}", f"{100 * fp / (fp + tn):.1f} %",
            f"{100 * fn / (fn + tp):.1f} %"]  # fmt: skip


def printed(text):
    names = ("false alarm events", "fault", "F1", "false-alarm rate", "missed-alarm rate")
    return [re.search(rf"^  {name} {{2,}}(.+)$", text, re.MULTILINE).group(1) for name in names]


@unittest.skipUnless(data_folder(), "no recordings: set STATOR_DATA")
class Recording(unittest.TestCase):
    def test_a_recorded_pump_is_judged_by_its_labels(self):
        for name in ("valve1/3.csv", "other/9.csv"):
            with Site("--until-closed", "--recording", data_folder() / "skab" / name, "--map", MAP) as site:
                self.assertEqual(site.wait_for_exit(150), 0, site.text()[-3000:])
                text = site.text()
                self.assertEqual(printed(text), figures(labels_of(data_folder() / "skab" / name), alarms_of(site)))
                print(name, text[text.index("Judged by the labels") :])

    def test_a_column_that_is_not_there_is_named(self):
        with Site(
            "--until-closed", "--recording", data_folder() / "skab/valve1/3.csv", "--map", "current=Curent"
        ) as site:
            self.assertNotEqual(site.wait_for_exit(60), 0)
            self.assertRegex(site.text(), re.compile(r"3\.csv.*Curent", re.DOTALL))


if __name__ == "__main__":
    unittest.main()
