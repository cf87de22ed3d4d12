"""The page, in a real browser."""
import pathlib
import subprocess
import unittest

from stator_site import ROOT, Site


class Page(unittest.TestCase):
    def test_a_person_sees_the_machine_breaks_it_and_gives_a_verdict(self):
        with Site("--no-fault") as site:
            script = pathlib.Path(__file__).with_name("page.mjs")
            done = subprocess.run(
                ["node", script, site.link(), ROOT / "build/console.png"],
                cwd=ROOT / "web", capture_output=True, text=True, timeout=200, check=False,
            )
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
            print(done.stdout)


if __name__ == "__main__":
    unittest.main()
