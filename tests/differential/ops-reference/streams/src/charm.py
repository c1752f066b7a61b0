#!/usr/bin/env python3
"""Runs commands in a container: the exec action of tests/guests/streams, on Python ops."""

import threading

import ops


class Streams(ops.CharmBase):
    def __init__(self, framework):
        super().__init__(framework)
        framework.observe(self.on.exec_action, self._on_exec)

    def _on_exec(self, event):
        ways = {
            "fed": self._fed,
            "signal": lambda: self._signalled("SIGTERM"),
            "kill": lambda: self._signalled("SIGKILL"),
            "timeout": self._timed,
            "unread-input": self._unread_input,
            "by-lines": self._by_lines,
        }
        event.set_results(ways[event.params["way"]]())

    def _start(self, command, **options):
        return self.unit.get_container("one").exec(command, **options)

    def _sh(self, script, **options):
        return self._start(["sh", "-c", script], **options)

    def _fed(self):
        process = self._start(["cat"], encoding=None)

        def feed():
            process.stdin.write(b"x" * (8 << 20))
            process.stdin.close()

        feeder = threading.Thread(target=feed)
        feeder.start()
        received = 0
        while chunk := process.stdout.read(65536):
            received += len(chunk)
        feeder.join()
        return {"received": received, "exit-code": exit_code(process)}

    def _signalled(self, signal):
        process = self._sh(
            "trap 'echo caught; exit 42' TERM; echo ready; while :; do sleep 0.05; done"
        )
        ready = process.stdout.readline()
        process.send_signal(signal)
        output = process.stdout.read()
        return {"ready": ready, "output": output, "exit-code": exit_code(process)}

    def _timed(self):
        process = self._start(["sleep", "60"], timeout=0.2)
        try:
            process.wait()
        except (ops.pebble.ChangeError, ops.pebble.TimeoutError):
            return {"fails": "true"}
        return {"fails": "false"}

    def _unread_input(self):
        process = self._sh("exec <&-; echo done", stdin="x" * 4096)
        output, _ = process.wait_output()
        return {"output": output, "exit-code": 0}

    def _by_lines(self):
        process = self._sh("while read line; do echo got $line; done; exit 3")
        answers = ""
        for word in ["one", "two"]:
            process.stdin.write(word + "\n")
            process.stdin.flush()
            answers += process.stdout.readline()
        process.stdin.close()
        return {"answers": answers, "exit-code": exit_code(process)}


def exit_code(process):
    try:
        process.wait()
    except ops.pebble.ExecError as error:
        return error.exit_code
    return 0


if __name__ == "__main__":
    ops.main(Streams)
