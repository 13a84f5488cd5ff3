"""Escape: leave the place where a submission is held. Whatever is left behind carries the token."""

from tests.attacks import ZEROS, in_cell

TRY = """
import ctypes, os, signal, socket, subprocess, sys, threading, time
libc = ctypes.CDLL(None, use_errno=True)
def attempt(action):
    try:
        print(action())
    except BaseException as error:
        print(type(error).__name__, error)
"""

WRITES = {
    "in /tmp": "/tmp/@token@",
    "in the root": "/@token@",
    "in the course": "@course@/@token@",
    "in the solutions": "@solutions@/@token@",
    "over the lesson's source": "@solutions@/90_tiny/90_tiny.py",
    "over the gradebook": "@course@/gradebook.db",
    "in another submission": "@course@/submitted/victim/90_tiny/@token@",
    "in the home": "~/@token@",
    "in site-packages": "{os.path.dirname(os.path.dirname(__import__('numpy').__file__))}/@token@.pth",
    "over the checks": "{__import__('byhand').__path__[0]}/check.py",
    "in IPython's start-up": "~/.ipython/profile_default/startup/@token@.py",
    "in the matplotlib cache": "{__import__('matplotlib').get_cachedir()}/@token@",
    "in shared memory": "/dev/shm/@token@",
    "in /var/tmp": "/var/tmp/@token@",
    "in /run": "/run/@token@",
    "in the cgroup": "/sys/fs/cgroup/@token@",
    "two levels up": "../../@token@",
}

SIGNALS = {
    "signals everyone": "os.kill(-1, signal.SIGTERM)",
    "kills the parent": "os.kill(os.getppid(), signal.SIGKILL)",
    "stops the parent": "os.kill(os.getppid(), signal.SIGSTOP)",
    "kills process 1": "os.kill(1, signal.SIGKILL)",
    "kills every number": "[os.kill(n, 9) for n in range(2, 40000) if n != os.getpid() and os.path.exists(f'/proc/{n}')]",
    "kills its group": "os.killpg(os.getpgid(os.getppid()), signal.SIGKILL)",
    "traces the parent": "libc.ptrace(16, os.getppid(), 0, 0), ctypes.get_errno()",
    "reads the parent's memory": "open(f'/proc/{os.getppid()}/mem', 'rb').read(10)",
    "changes the parent's limits": "__import__('resource').prlimit(os.getppid(), 7, (0, 0))",
    "renices everything": "os.setpriority(os.PRIO_PGRP, 0, -20)",
}

KERNEL = {
    "mounts a disk": "libc.mount(b'none', b'/mnt', b'tmpfs', 0, None), ctypes.get_errno()",
    "remounts the root writable": "libc.mount(None, b'/', None, 32 | 4096, None), ctypes.get_errno()",
    "unshares a user": "libc.unshare(0x10000000), ctypes.get_errno()",
    "unshares mounts": "libc.unshare(0x00020000), ctypes.get_errno()",
    "joins the first namespaces": "[libc.setns(os.open(f'/proc/1/ns/{n}', 0), 0) for n in ('mnt', 'pid', 'net')]",
    "becomes root": "os.setuid(0), os.setgid(0), os.getuid()",
    "makes a setuid program": "open('x', 'w').write('@token@'), os.chmod('x', 0o4755)",
    "loads a module": "libc.syscall(175, 0, 0, b''), ctypes.get_errno()",
    "makes a device": "os.mknod('disk', 0o60666, os.makedev(254, 0)), open('disk', 'rb').read(10)",
    "opens raw memory": "open('/dev/mem', 'rb').read(10)",
    "changes its root": "os.chroot('/')",
    "pivots its root": "libc.syscall(155, b'/', b'/tmp'), ctypes.get_errno()",
    "sets the clock": "time.clock_settime(time.CLOCK_REALTIME, 0)",
    "sets the host name": "socket.sethostname('@token@')",
    "raises its limits": "__import__('resource').setrlimit(9, (-1, -1))",
    "adds a key": "libc.syscall(248, b'user', b'@token@', b'x', 1, -3), ctypes.get_errno()",
    "asks for io_uring": "libc.syscall(425, 1, 0), ctypes.get_errno()",
    "asks for bpf": "libc.syscall(321, 0, 0, 0), ctypes.get_errno()",
    "starts sudo": "subprocess.run(['sudo', '-n', 'id'], capture_output=True)",
    "starts bubblewrap": "subprocess.run(['bwrap', '--bind', '/', '/', 'id'], capture_output=True)",
    "core pattern": "open('/proc/sys/kernel/core_pattern', 'w').write('|/tmp/@token@')",
    "release agent": "open('/sys/fs/cgroup/memory/release_agent', 'w').write('/tmp/@token@')",
    "sysrq": "open('/proc/sysrq-trigger', 'w').write('c')",
}

LEFT_BEHIND = {
    "a daemon": "subprocess.Popen(['/bin/sh', '-c', 'exec -a @token@ sleep 600'], start_new_session=True)",
    "a daemon of daemons": """
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', '@token@'])
            time.sleep(600)
        os._exit(0)""",
    "a process that ignores signals": "subprocess.Popen([sys.executable, '-c', 'import signal, time\\nfor n in range(1, 60):\\n    try: signal.signal(n, signal.SIG_IGN)\\n    except Exception: pass\\ntime.sleep(600)', '@token@'])",
    "a thread": "threading.Thread(target=time.sleep, args=(600,)).start()",
    "a hundred threads": "[threading.Thread(target=time.sleep, args=(600,), daemon=True).start() for _ in range(100)]",
    "an exit handler": "__import__('atexit').register(time.sleep, 600)",
    "a timer": "signal.setitimer(signal.ITIMER_REAL, 0.01, 0.01)",
    "a finaliser": "globals().__setitem__('keep', type('Last', (), {'__del__': lambda self: time.sleep(600)})())",
    "a stopped child": "os.kill(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)', '@token@']).pid, signal.SIGSTOP)",
    "a named pipe": "os.mkfifo('weights.safetensors')",
    "a listening socket": "globals().__setitem__('server', socket.create_server(('127.0.0.1', 34567)))",
    "an abstract socket": "s = socket.socket(socket.AF_UNIX); s.bind('\\0@token@'); s.listen(); globals().__setitem__('keep', s)",
    "system V shared memory": "libc.shmget(12345, 4096, 0o1666), ctypes.get_errno()",
    "a message queue": "libc.msgget(12345, 0o1666), ctypes.get_errno()",
}

BROWSER = {
    "a script in HTML": "from IPython.display import HTML, display\ndisplay(HTML('<script>document.title=\"@token@-RAN\"</script>'))",
    "an image that fails": "from IPython.display import HTML, display\ndisplay(HTML('<img src=x onerror=\"document.title=`@token@-RAN`\">'))",
    "a script in SVG": 'from IPython.display import SVG, display\ndisplay(SVG(\'<svg xmlns="http://www.w3.org/2000/svg" onload="document.title=`@token@-RAN`"><script>1</script></svg>\'))',
    "JavaScript": "from IPython.display import Javascript, display\ndisplay(Javascript('document.title=\"@token@-RAN\"'))",
    "a frame": "from IPython.display import IFrame, display\ndisplay(IFrame('javascript:alert(1)', 10, 10))",
    "a link in Markdown": "from IPython.display import Markdown, display\ndisplay(Markdown('[x](javascript:alert(1)) <script>alert(1)</script>'))",
    "a forged type": "from IPython.display import display\ndisplay({'text/html': '<script>alert(\"@token@-RAN\")</script>', 'application/javascript': 'alert(1)'}, raw=True)",
    "HTML in a name": "raise type('<script>alert(1)</script>', (Exception,), {})('<img src=x onerror=alert(1)>')",
    "HTML on stdout": "print('</pre><script>document.title=\"@token@-RAN\"</script>')",
    "control characters": "print('\\x1b[2J\\x1b]0;@token@\\x07' + chr(0) * 20 + chr(0x202e))",
    "LaTeX that loads": "from IPython.display import Latex, display\ndisplay(Latex(r'$\\\\href{javascript:alert(1)}{x}$'))",
}


def _writing(path: str) -> str:
    return TRY + f"attempt(lambda: open(os.path.expanduser(f'{path}'), 'w').write('@token@'))" + ZEROS


def _leaving(text: str) -> str:
    if text.startswith("\n"):
        return TRY + "def leave():" + text + "\nattempt(leave)" + ZEROS
    return TRY + "def leave():\n    " + text + "\nattempt(leave)" + ZEROS


ATTACKS = [
    *(in_cell(f"writes {name}", _writing(path)) for name, path in WRITES.items()),
    *(
        in_cell(name, TRY + f"attempt(lambda: ({text}))" + ZEROS)
        for name, text in {**SIGNALS, **KERNEL}.items()
    ),
    *(in_cell(f"leaves behind {name}", _leaving(text)) for name, text in LEFT_BEHIND.items()),
    *(in_cell(f"shows {name}", text + ZEROS) for name, text in BROWSER.items()),
]
