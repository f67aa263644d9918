"""What the terminal sends, read so that nothing in it ends the screens."""

from __future__ import annotations

import logging
import os
import selectors
import signal
from codecs import getincrementaldecoder

from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

_log = logging.getLogger(__name__)
_AT_ONCE = 4096
_HUNG_UP = 128 + signal.SIGHUP
_LOOK_SECONDS = 0.1


class Keyboard(LinuxDriver):
    """A byte that is no UTF-8 (another encoding's, a broken line's) arrives as U+FFFD; a sequence that the parser fails
    on is left out."""

    def _run_input_thread(self) -> None:
        """A terminal that went away ends the app as a hang-up does; whatever else ends this thread is a crash."""
        try:
            self.run_input_thread()
        except OSError:
            self._app.call_later(self._app.exit, return_code=_HUNG_UP)
        except BaseException as failure:
            self._app.call_later(_fail, failure)

    def run_input_thread(self) -> None:
        """Hand keys, mouse and pastes to the app until the terminal is given back."""
        decode = getincrementaldecoder("utf-8")("replace").decode
        self._parser = XTermParser(self._debug)
        with selectors.DefaultSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                if selector.select(_LOOK_SECONDS):
                    sent = os.read(self.fileno, _AT_ONCE)
                    if not sent:  # the end of what is piped in
                        return
                    self._take(decode(sent))
                else:
                    self._take("")

    def _take(self, text: str) -> None:
        """Text that came; without any the parser sees that time went by."""
        try:
            for event in self._parser.feed(text) if text else ():
                self.process_message(event)
            for event in self._parser.tick():
                self.process_message(event)
        except Exception:
            _log.exception("what the terminal sent could not be understood")
            self._parser = XTermParser(self._debug)


def _fail(failure: BaseException) -> None:
    raise RuntimeError("the keyboard is not read any more") from failure
