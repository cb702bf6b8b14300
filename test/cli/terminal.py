"""
One command at a pseudo-terminal. Owns: the terminal, the command's session, and their end: both are gone when this ends, whatever happens.
stdin: JSON {argv, rows, columns, steps, seconds}; a step is ["see", text], ["type", text], ["urge", text, seen] (typed until that is shown), ["size", rows, columns],
["signal", number] (which is taken when the step is over) or ["wait", seconds]. stdout: JSON {status, shown, restored, failure}; status as a shell has it, restored: the modes are those from before.
"""
import fcntl, json, os, pty, select, signal, struct, sys, termios, time

AGAIN = 5

request = json.load(sys.stdin)
deadline = time.monotonic() + request["seconds"]
master, slave = pty.openpty()


def set_size(rows, columns):
    fcntl.ioctl(master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


set_size(request["rows"], request["columns"])
before = termios.tcgetattr(slave)
child = os.fork()
if child == 0:
    os.setsid()
    fcntl.ioctl(slave, termios.TIOCSCTTY, 0)
    for fd in range(3):
        os.dup2(slave, fd)
    os.closerange(3, 256)
    try:
        os.execv(request["argv"][0], request["argv"])
    finally:
        os._exit(126)

shown = b""
at = 0
status = None


def receive(seconds):
    """What comes within that time; also looks whether the command has ended."""
    global shown, status
    if select.select([master], [], [], seconds)[0]:
        shown += os.read(master, 65536)
        return
    if status is None:
        pid, code = os.waitpid(child, os.WNOHANG)
        if pid:
            status = os.waitstatus_to_exitcode(code)


def see(text, until):
    """Whether it is shown by then."""
    global at
    wanted = text.encode()
    while (found := shown.find(wanted, at)) < 0:
        if status is not None or time.monotonic() > deadline:
            raise Exception(f"{text!r} was not shown, status {status}")
        if time.monotonic() > until:
            return False
        receive(0.02)
    at = found + len(wanted)
    return True


def is_pending():
    """Whether a signal waits for the command (proc_pid_status(5)): another one like it would not count."""
    try:
        with open(f"/proc/{child}/status") as lines:
            return any(int(line.split()[1], 16) for line in lines if line.startswith(("SigPnd:", "ShdPnd:")))
    except OSError:
        return False


def perform(step):
    kind, *values = step
    if kind == "see":
        see(values[0], deadline)
    elif kind == "type":
        os.write(master, values[0].encode())
    elif kind == "urge":
        os.write(master, values[0].encode())
        while not see(values[1], time.monotonic() + AGAIN):
            os.write(master, values[0].encode())
    elif kind == "size":
        set_size(*values)
    elif kind == "signal":
        os.kill(child, values[0])
        while is_pending() and time.monotonic() < deadline:
            receive(0.02)
    elif kind == "wait":
        until = time.monotonic() + values[0]
        while time.monotonic() < until:
            receive(0.02)


failure = None
try:
    for step in request["steps"]:
        perform(step)
    while status is None:
        if time.monotonic() > deadline:
            raise Exception("the command did not end")
        receive(0.02)
    receive(0)
except Exception as error:
    failure = str(error)
finally:
    restored = termios.tcgetattr(slave) == before
    if status is None:
        os.killpg(child, signal.SIGKILL)
        os.waitpid(child, 0)
shell_status = status if status is None or status >= 0 else 128 - status
print(json.dumps({"status": shell_status, "shown": shown.decode("latin1"), "restored": restored, "failure": failure}))
