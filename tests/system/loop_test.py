"""The loop itself, with real parts: it closes, stays quiet when it should, and says what fails."""
import re
import unittest

from stator_site import LONG, Site, wait_until


def figure(pattern, text):
    found = re.search(pattern, text)
    assert found, f"the report has no {pattern}:\n{text[-3000:]}"
    return float(found.group(1))


class Loop(unittest.TestCase):
    def test_the_loop_closes_and_closes_again_on_what_a_kill_left(self):
        with Site() as site:
            site.wait_for_step(5, 60)
            site.kill_everything()
            rounds = 3 if LONG else 1
            for _ in range(rounds):
                with Site("--until-closed", state=site.state) as again:
                    code = again.wait_for_exit(180)
                    text = again.text()
                    self.assertEqual(code, 0, text[-4000:])
                    self.assertIn("THE LOOP CLOSED", text)
                    self.assertLess(figure(r"wall time ([\d.]+) s", text), 120)
                    self.assertLess(figure(r"first live page after ([\d.]+) s", text), 5)
                    self.assertLess(figure(r"resident memory of all processes at most (\d+) MB", text), 300)
                    print(text[text.index("THE LOOP CLOSED") :])

    def test_a_blocked_backup_pump_is_said_to_have_no_effect(self):
        with Site("--until-closed", "--block-backup") as site:
            self.assertNotEqual(site.wait_for_exit(120), 0)
            self.assertIn("effect not observed", site.text())
            self.assertIn("step 6 did not come", site.text())

    def test_without_a_change_of_load_nothing_is_trained_again(self):
        with Site("--until-closed", "--no-load-change") as site:
            site.wait_for_exit(150)
            trainings = site.stator("log", "tail", "--class", "control", "--all").stdout.count(
                '"train-model"'
            )
            self.assertEqual(trainings, 1, "only the commissioning model is trained")

    def test_without_a_fault_the_valve_stays_closed(self):
        seconds = 600 if LONG else 45
        with Site("--no-fault") as site:
            site.wait_for_step(5, 60)
            start = site.overview()["loop"]["readings"]
            wait_until(
                f"{seconds} s of readings",
                lambda: (site.overview() or {"loop": {"readings": 0}})["loop"]["readings"]
                > start + seconds * 40 * 0.9,
                seconds * 2,
            )
            view = site.overview()
            self.assertEqual(view["loop"]["action"], "")
            self.assertEqual([e for e in view["episodes"] if e["level"] == 1], [])


if __name__ == "__main__":
    unittest.main()
