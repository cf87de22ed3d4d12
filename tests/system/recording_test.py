"""Recorded machines: real pump recordings through the whole loop, judged by their labels."""
import re
import unittest

from stator_site import Site, data_folder

MAP = (
    "time=datetime,accelerometer_1=Accelerometer1RMS,accelerometer_2=Accelerometer2RMS,"
    "current=Current,flow=Volume Flow RateRMS,label=anomaly"
)


@unittest.skipUnless(data_folder(), "no recordings: set STATOR_DATA")
class Recording(unittest.TestCase):
    def test_a_recorded_pump_is_judged_by_its_labels(self):
        for name in ("valve1/3.csv", "other/9.csv"):
            with Site("--until-closed", "--recording", data_folder() / "skab" / name, "--map", MAP) as site:
                self.assertEqual(site.wait_for_exit(150), 0, site.text()[-3000:])
                text = site.text()
                for figure in ("false alarm events", "delay", "F1", "false-alarm rate", "missed-alarm rate"):
                    self.assertIn(figure, text)
                print(name, text[text.index("Judged by the labels") :])

    def test_a_column_that_is_not_there_is_named(self):
        with Site(
            "--until-closed", "--recording", data_folder() / "skab/valve1/3.csv", "--map", "current=Curent"
        ) as site:
            self.assertNotEqual(site.wait_for_exit(60), 0)
            self.assertRegex(site.text(), re.compile(r"3\.csv.*Curent", re.DOTALL))


if __name__ == "__main__":
    unittest.main()
