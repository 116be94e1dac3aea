"""mariadb(1), kept open: a client process for each statement takes longer than the statement."""

import subprocess
import threading


class SqlClient:
    """argv: mariadb with its options; env: what it is started with. Several threads may share one."""

    LOST = ("ERROR 2002", "ERROR 2006", "ERROR 2013", "ERROR 2026")

    def __init__(self, argv, env):
        self.argv, self.env = argv, env
        self.process, self.said = None, 0
        self.lock = threading.Lock()

    def _open(self):
        # whoever closes its end of a pipe must be the last who has it
        self.process = subprocess.Popen(
            [*self.argv, "--batch", "--skip-column-names", "--unbuffered"], env=self.env,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    def close(self):
        if self.process:
            self.process.kill()
            self.process.communicate()
            self.process = None

    def _ask(self, text):
        """What the client prints before it has come to the end of the text; None when it gives up."""
        self.said += 1
        end = b"the end of %d\n" % self.said
        try:
            self.process.stdin.write(text.encode() + b"\n;\nSELECT 'the end of %d';\n" % self.said)
            self.process.stdin.flush()
        except BrokenPipeError:
            return None
        got = []
        for line in self.process.stdout:
            if line == end:
                return b"".join(got).decode()
            got.append(line)
        return None

    def rows(self, text):
        """Rows as lists of strings; NULL is the word NULL. AssertionError with the server's words."""
        with self.lock:
            for fresh in (False, True):
                if fresh or not self.process:
                    fresh = True
                    self._open()
                got = self._ask(text)
                if got is not None:
                    return [line.split("\t") for line in got.splitlines()]
                words = self.process.stderr.read().decode(errors="replace")
                self.close()
                # the server was away since the last statement
                if fresh or not any(e in words for e in self.LOST):
                    raise AssertionError("%s\n%s" % (words, text))
        raise AssertionError(text)
