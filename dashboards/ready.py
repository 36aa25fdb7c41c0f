"""A board that is ready when a page asks for it: made once for all readers, anew in the background.

It is never older than said, and never better than the truth by being kept: once the lake has moved
or something on it has gone out of date, it says so until a newer one is there; and what goes wrong
while it is made is what readers get.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from dashboards.model import Board
from dashboards.summary import next_expiry
from evidence.errors import LakeError

LOOK = timedelta(seconds=5)
"""Between two looks at whether the lake has moved."""
MOVED = "The lake has moved on since this was judged; it is being judged anew."
EXPIRED = "Something here has gone out of date since; it is being judged anew."
AWAKE = timedelta(days=1)
"""So long after the last reader a board is still kept ready for the next."""
PAST = 4
"""Boards of past moments that are kept, those asked for last."""
_LOG = logging.getLogger("headwater.dashboards")


@dataclass(frozen=True, slots=True)
class Made:
    """A board, what it was made from (`mark`), and what may hold it: when it began, how long it
    took, both by the wall clock. `late` says why it is late from the beginning, if it is."""

    board: Board
    mark: Hashable
    began: datetime
    took: timedelta
    late: str = ""


@dataclass(slots=True)
class Ready:
    """One board kept ready. `mark` is cheap and differs once the board could say something else;
    `make` takes its time. Both may raise, and then every reader gets that error until it is over.

    No reader is shown a board that was begun longer than `oldest` ago: they wait for a new one,
    which is made once for all of them. `before` is asked once, for the board that an earlier
    process left: it is shown as late until the first of this one is there.
    """

    make: Callable[[], Board]
    mark: Callable[[], Hashable]
    clock: Callable[[], datetime]
    oldest: timedelta
    before: Callable[[], Made | None] = lambda: None
    _began: bool = False
    _made: Made | None = None
    _late: str = ""
    _error: Exception | None = None
    _ended: int = 0
    _looked: datetime | None = None
    _making: threading.Lock = field(default_factory=threading.Lock)
    _asking: threading.Lock = field(default_factory=threading.Lock)

    def board(self) -> Board:
        """The board as it is now. Raises what making it raised."""
        made = self._usable()
        if made is None:
            made = self._waited(self._ended)
        elif self._is_time():
            threading.Thread(target=self._look, name="board", daemon=True).start()
        if self._error is not None:
            raise self._failure()
        return replace(made.board, late=self._late) if self._late else made.board

    def begin(self) -> Board | None:
        """Take up what an earlier process left, without making anything; None if it is nothing."""
        made = self._usable()
        return replace(made.board, late=made.late) if made else None

    def _waited(self, ended: int) -> Made:
        """What came of it meanwhile, if another was at it, be it an error or slow; else made here.

        `ended` is how often it had ended when this reader came."""
        with self._making:
            if self._ended == ended:
                return self._tried()
            if self._error is not None or self._made is None:
                raise self._failure()
            return self._made

    def _failure(self) -> Exception:
        error = self._error or LakeError("the board was not made")
        return error.with_traceback(None)

    def _usable(self) -> Made | None:
        self._take_up()
        made, now = self._made, self.clock()
        # A clock that was set back would keep it young for ever.
        return made if made and made.began <= now < made.began + self.oldest else None

    def _take_up(self) -> None:
        with self._asking:
            if not self._began:
                self._began = True
                self._made = made = self.before()
                if made:  # the first pages are not held up by judging
                    self._late, self._looked = made.late, self.clock()

    def _is_time(self) -> bool:
        """Whether this reader is the one that starts the next look."""
        with self._asking:
            now = self.clock()
            if self._looked is not None and self._looked <= now < self._looked + LOOK:
                return False
            self._looked = now
            return True

    def _look(self) -> None:
        """Make it anew if something moved, but rest as long as making it took."""
        if not self._making.acquire(blocking=False):
            return
        try:
            mark, now, made = self.mark(), self.clock(), self._made
            if made is None:
                return
            self._late = self._moved(made, mark, now)
            old = now >= made.began + self.oldest / 2
            if (self._late or old or self._error) and now >= made.began + 2 * made.took:
                self._tried()
        except Exception as error:  # noqa: BLE001  readers get it, whatever it is
            self._error = error
            _LOG.error("the board cannot be made anew: %s", error)
        finally:
            self._looked = self.clock()
            self._making.release()

    def _moved(self, made: Made, mark: Hashable, now: datetime) -> str:
        if made.late:
            return made.late
        if mark != made.mark:
            return MOVED
        expiry = next_expiry(made.board)
        return EXPIRED if expiry is not None and expiry <= now else ""

    def _tried(self) -> Made:
        try:
            mark = self.mark()  # before: what lands meanwhile makes another
            began = self.clock()
            board = self.make()
        except Exception as error:
            self._error = error
            raise
        finally:
            self._ended += 1
        self._made = made = Made(board, mark, began, max(timedelta(), self.clock() - began))
        self._late, self._error = "", None
        return made


@dataclass(slots=True)
class Shelf:
    """Boards kept ready by the moment that they show; of past ones those asked for last.

    `prepare` is called once for each new board of now, while `running`.
    """

    ready: Callable[[str], Ready]
    clock: Callable[[], datetime]
    prepare: Callable[[], None] = lambda: None
    _prepared: datetime | None = None
    _held: OrderedDict[str, Ready] = field(default_factory=OrderedDict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _asked: datetime | None = None
    _over: threading.Event = field(default_factory=threading.Event)

    def board(self, as_of: str) -> Board:
        """The board of this moment, '' is now. Raises what making it raised."""
        self._asked = self.clock()
        return self._ready(as_of).board()

    def begin(self) -> Board | None:
        """The board of now as an earlier process left it, if one did."""
        return self._ready("").begin()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Keep the board of now ready from a thread while the block runs, so that no reader waits
        who comes within a day of the last."""
        thread = threading.Thread(target=self._keep, name="boards", daemon=True)
        self._asked = self.clock()
        thread.start()
        try:
            yield
        finally:
            self._over.set()

    def _keep(self) -> None:
        while not self._over.wait(0 if not self._held else LOOK.total_seconds()):
            if self._asked is not None and self.clock() < self._asked + AWAKE:
                with contextlib.suppress(Exception):  # kept: the next reader gets it
                    self._prepare(self._ready("").board())

    def _prepare(self, board: Board) -> None:
        if not board.late and board.built_at != self._prepared:
            self._prepared = board.built_at
            self.prepare()

    def _ready(self, as_of: str) -> Ready:
        with self._lock:
            held = self._held.get(as_of) or self.ready(as_of)
            self._held[as_of] = held
            self._held.move_to_end(as_of)
            for name in [name for name in self._held if name][:-PAST]:
                del self._held[name]
        return held
