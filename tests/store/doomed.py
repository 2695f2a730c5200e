"""Processes to be killed."""

from __future__ import annotations

import os
import signal
import traceback

import pytest

from tests.forks import FORKS
from tests.patience import PATIENCE_S
from tests.store.unsynced import sync_nothing


def die():
    """End this process as the power does."""
    os.kill(os.getpid(), signal.SIGKILL)


class Doomed:
    """A process that runs `main(say, *arguments)`; what it says can be read after its end too, whatever ended it."""

    def __init__(self, main, *arguments):
        self._said, say = FORKS.Pipe(duplex=False)
        self._process = FORKS.Process(target=_run, args=(main, say, *arguments), daemon=True)
        self._process.start()
        say.close()

    def hear(self, timeout_s=PATIENCE_S):
        """Return the next thing that it says; EOFError at its end."""
        assert self._said.poll(timeout_s), "it says nothing and does not end"
        word = self._said.recv()
        if isinstance(word, _Failure):
            pytest.fail(word.text)
        return word

    def kill(self):
        self._process.kill()

    def end(self, timeout_s=PATIENCE_S):
        """Wait for its end; return its status, and all that it said and nobody heard yet."""
        heard = []
        try:
            while True:
                heard.append(self.hear(timeout_s))
        except EOFError:
            self._process.join(timeout_s)
        finally:
            self._process.kill()
            self._said.close()
        return self._process.exitcode, heard


class _Failure:
    def __init__(self, text):
        self.text = text


def _run(main, say, *arguments):
    sync_nothing(pytest.MonkeyPatch())
    try:
        main(say.send, *arguments)
    except BaseException:
        say.send(_Failure(traceback.format_exc()))
        raise
