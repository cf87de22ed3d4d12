"""Power cuts at random moments of updates, spread over what the device asks for: a slow machine does not
move them to the beginning, nor a fast one behind the end."""
import math
import random
import time

PIECE = 2048  # bytes that the board asks for at a time (session::HttpSession::chunk_bytes_max)
BEHIND_THE_LAST = 0.3  # of all cuts: in the check, the restart, the trial, the commit, or after them


class PowerCuts:
    def __init__(self, seed, board, registry, slots):
        """`slots`: where in the flash image updates are written to."""
        self.chance, self.board, self.registry, self.slots = random.Random(seed), board, registry, slots
        self.seed, self.made, self.untouched, self.halfway, self.whole = seed, 0, 0, 0, 0
        self.piece_s = self.tail_s = 0.0

    def measure(self, path, begun, ended):
        """Of an update that nobody cut: how long a piece takes, and all that follows the last one."""
        pieces = math.ceil(len(self.registry.files[path]) / PIECE)
        last = self.registry.furthest[path][1]
        self.piece_s = (last - begun) / pieces
        self.tail_s = ended - last

    def content(self):
        with open(self.board.flash, "rb") as flash:
            flash.seek(self.slots.start)
            return flash.read(self.slots.stop - self.slots.start)

    def cut(self, order, paths):
        """Orders the update that fetches these files, and cuts the power in it. Returns the board's text's length."""
        before = self.content()
        pieces = [(path, n) for path in paths
                  for n in range(math.ceil(len(self.registry.files[path]) / PIECE))]
        late = self.chance.random() < BEHIND_THE_LAST
        path, piece = pieces[-1] if late else self.chance.choice(pieces)
        pause = self.chance.uniform(0, 1.1 * self.tail_s if late else self.piece_s)
        # What comes before the broker has heard what the board subscribes to is lost, and said again.
        order()
        # A starved emulator does not finish a handshake in time, and tries again.
        begun = time.monotonic()
        while not self.registry.wait_for_piece(paths[0], 0, 5):
            if time.monotonic() - begun > 300:
                raise AssertionError(f"the board did not ask for {paths[0]}; it said:\n{self.board.text()[-800:]}")
            order()
        if not self.registry.wait_for_piece(path, piece, 300):
            raise AssertionError(f"the board did not ask for piece {piece} of {path}; it said:\n"
                                 f"{self.board.text()[-800:]}")
        time.sleep(pause)  # not to wait for something: this is the cut
        self.board.stop()
        self.made += 1
        self.changed = self.content() != before
        said = len(self.board.text())
        self.board.start()
        return said

    def count(self, taken):
        self.whole += taken
        self.halfway += self.changed and not taken
        self.untouched += not self.changed and not taken
        if self.made % 10 == 0:
            print(self, flush=True)

    def __str__(self):
        return (f"{self.made} cuts (seed {self.seed}): {self.untouched} before the update's first byte was in flash, "
                f"{self.halfway} in its midst, {self.whole} when it was whole")
