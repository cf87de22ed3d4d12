"""Issue A's whole story with the emulated board as the device: real services, real TLS, real flash."""
import tempfile
import unittest

import budgets
from board_site import Board
from firmware_build import BUILD, build_firmware
from stator_site import Site

# Its factory page names them; every other test of the board has the contract's.
TOPICS = {
    "STATOR_TOPICS_DATA": "plant-7/readings",
    "STATOR_TOPICS_LEVEL1": "plant-7/level1",
    "STATOR_TOPICS_LEVEL2": "plant-7/level2",
    "STATOR_TOPICS_CONTROL": "plant-7/control",
}


class BoardStory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build_firmware()

    def test_the_board_goes_through_the_whole_story(self):
        with tempfile.TemporaryDirectory(prefix="stator-board-") as folder:
            with Site("--until-closed", "--bench", folder, environment=TOPICS) as site:
                board = Board(folder)
                self.addCleanup(board.close)
                board.wait_for_site(site)
                board.provision(site, environment=TOPICS)
                board.start()
                code = site.wait_for_exit(240)
                print(site.text()[-3000:])
                self.assertEqual(code, 0, board.text()[-2000:])
                self.hold_to_the_story(board)
                self.hold_to_the_names(site)
                self.hold_to_the_budgets(board)

    def hold_to_the_story(self, board):
        said = board.text()
        for words in ("activated", "connected", "runs 20", "alarm\n", "valve 3"):
            self.assertIn(words, said)
        self.assertNotIn("!!", said)

    def hold_to_the_names(self, site):
        for name, topic in (("telemetry", "plant-7/readings"), ("alarm", "plant-7/level1")):
            said = site.stator("log", "tail", "--class", name, "--all").stdout
            topics = {line.split(" ", 4)[3] for line in said.splitlines() if " 14333616 " in line}
            self.assertIn(topic, topics)
            self.assertFalse(topics & {"shaded-pole-motor-sensor_data", "motor-anomaly-level1-inference"})

    def hold_to_the_budgets(self, board):
        costs = {name: board.cost(name) for name in ("tls_pool", "stack")}
        budgets.hold(self, "node_image", budgets.sizes(BUILD / "node_image.elf") | costs)


if __name__ == "__main__":
    unittest.main()
