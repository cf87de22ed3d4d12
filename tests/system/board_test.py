"""Issue A's whole story with the emulated board as the device: real services, real TLS, real flash."""
import subprocess
import tempfile
import tomllib
import unittest

from board_site import Board
from cortex_m_test import BUDGETS, BUILD, build_firmware, tool
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
        size = subprocess.run([tool("arm-none-eabi-size"), BUILD / "node_image.elf"],
                              capture_output=True, text=True, check=True)
        text, data, bss = (int(number) for number in size.stdout.splitlines()[1].split()[:3])
        costs = {
            "flash": text + data,
            "static_ram": data + bss,
            "tls_pool": board.cost("tls_pool"),
            "stack": board.cost("stack"),
        }
        budgets = tomllib.loads(BUDGETS.read_text())["node_image"]
        self.assertEqual(set(costs), set(budgets))
        for name, most in budgets.items():
            print(f"node {name}: {costs[name]} of {most}")
        over = {name: costs[name] for name, most in budgets.items() if costs[name] > most}
        self.assertEqual(over, {}, "above budgets.toml")


if __name__ == "__main__":
    unittest.main()
