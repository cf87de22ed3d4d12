"""Issue A's whole story with the emulated board as the device: real services, real TLS, real flash."""
import tempfile
import unittest

import budgets
from board_site import Board
from firmware_build import BUILD, build_firmware
from stator_site import Site


class BoardStory(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        build_firmware()

    def test_the_board_goes_through_the_whole_story(self):
        with tempfile.TemporaryDirectory(prefix="stator-board-") as folder:
            with Site("--until-closed", "--bench", folder) as site:
                board = Board(folder)
                self.addCleanup(board.close)
                board.wait_for_site(site)
                board.provision(site)
                board.start()
                code = site.wait_for_exit(240)
                print(site.text()[-3000:])
                self.assertEqual(code, 0, board.text()[-2000:])
                self.hold_to_the_story(board)
                self.hold_to_the_budgets(board)

    def hold_to_the_story(self, board):
        said = board.text()
        for words in ("activated", "connected", "runs 20", "alarm\n", "valve 3"):
            self.assertIn(words, said)
        self.assertNotIn("!!", said)

    def hold_to_the_budgets(self, board):
        costs = {name: board.cost(name) for name in ("tls_pool", "stack")}
        budgets.hold(self, "node_image", budgets.sizes(BUILD / "node_image.elf") | costs)


if __name__ == "__main__":
    unittest.main()
