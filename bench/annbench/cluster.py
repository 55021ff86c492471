"""A PostgreSQL server of the benchmark's own: own directory, own socket, no TCP port."""
import os, pwd, re, shutil, signal, subprocess, threading, time


class SqlError(RuntimeError):
    pass


def bindir_of(pg_config):
    return subprocess.check_output([pg_config, '--bindir'], text=True).strip()


def database(engine):
    """Every engine has its own."""
    return 'bench_' + engine.name.replace('-', '_').replace('.', '_')


class Cluster:
    def __init__(self, directory, pg_config, settings):
        self.dir, self.bin = os.path.abspath(directory), bindir_of(pg_config)
        self.libdir = subprocess.check_output([pg_config, '--pkglibdir'], text=True).strip()
        self.data, self.settings = os.path.join(self.dir, 'data'), settings
        self.user = pwd.getpwnam('postgres') if os.geteuid() == 0 else None     # the server refuses to run as root
        self.env = {k: v for k, v in os.environ.items() if not k.startswith('PG')} | {'LC_ALL': 'C'}

    def _server_tool(self, tool, *args):
        who = dict(user=self.user.pw_uid, group=self.user.pw_gid, extra_groups=[]) if self.user else {}
        r = subprocess.run([os.path.join(self.bin, tool), *args], cwd=self.dir, env=self.env, text=True,
                           stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, **who)
        if r.returncode:
            log = os.path.join(self.dir, 'log')
            tail = ''.join(open(log, errors='replace').readlines()[-20:]) if tool == 'pg_ctl' and os.path.exists(log) else ''
            raise SystemExit(f'{tool} failed:\n{r.stdout}{tail}')
        return r.stdout

    def start(self):
        os.makedirs(self.dir, mode=0o700, exist_ok=True)
        if self.user:
            os.chown(self.dir, self.user.pw_uid, self.user.pw_gid)
        if not os.path.exists(os.path.join(self.data, 'PG_VERSION')):
            self._server_tool('initdb', '-D', self.data, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync')
            with open(os.path.join(self.data, 'postgresql.conf'), 'a') as f:
                f.write("include 'bench.conf'\n")
        conf = os.path.join(self.data, 'bench.conf')
        text = ''.join(f"{k} = '{v}'\n" for k, v in self.settings.items()) + f"listen_addresses = ''\nunix_socket_directories = '{self.dir}'\n"
        old = open(conf).read() if os.path.exists(conf) else None
        running = os.path.exists(os.path.join(self.data, 'postmaster.pid')) and self.alive()
        if running and old == text:
            return
        with open(conf, 'w') as f:
            f.write(text)
        if self.user:
            os.chown(conf, self.user.pw_uid, self.user.pw_gid)
        self._server_tool('pg_ctl', '-D', self.data, '-w', '-t', '120', '-l', os.path.join(self.dir, 'log'),
                          'restart' if running else 'start', '-m', 'fast')

    def restart(self, cold=False, **changed):
        """With other settings; cold: also with the server's files out of the page cache."""
        self.settings = self.settings | changed
        if cold:
            self.stop(remove=False)
            self.drop_cache()
        self.start()

    def drop_cache(self):
        """Takes the files of the databases out of the page cache, those of nobody else. Needs no privilege."""
        for directory, _, files in os.walk(os.path.join(self.data, 'base')):
            for name in files:
                fd = os.open(os.path.join(directory, name), os.O_RDWR)
                os.fsync(fd)
                os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(fd)

    def cached_share(self, path):
        """Which share of a file of the data directory is in the page cache; None where there is no fincore to say it."""
        path = os.path.join(self.data, path)
        if not shutil.which('fincore'):
            return None
        cached = subprocess.run(['fincore', '--bytes', '--noheadings', '--output', 'RES', path], text=True, capture_output=True).stdout.split()
        return int(cached[0]) / max(1, os.path.getsize(path)) if cached else None

    def has_library(self, name):
        return os.path.exists(os.path.join(self.libdir, name + '.so'))

    def alive(self):
        r = subprocess.run([os.path.join(self.bin, 'pg_isready'), '-q', '-h', self.dir], env=self.env)
        return r.returncode == 0

    def stop(self, remove):
        if os.path.exists(os.path.join(self.data, 'postmaster.pid')):
            self._server_tool('pg_ctl', '-D', self.data, '-w', '-m', 'immediate' if remove else 'fast', 'stop')
        if remove:
            shutil.rmtree(self.dir, ignore_errors=True)

    # ---- clients -------------------------------------------------------------------------------
    def _env(self, settings):
        return self.env | ({'PGOPTIONS': ' '.join(f'-c {k}={v}' for k, v in settings.items())} if settings else {})

    def _psql(self, database):
        return [os.path.join(self.bin, 'psql'), '-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', self.dir, '-U', 'postgres', '-d', database]

    def sql(self, database, *statements, settings=None):
        """Runs statements one by one in one session; returns (stdout, stderr)."""
        args = [a for s in statements for a in ('-c', s)]
        r = subprocess.run(self._psql(database) + args, env=self._env(settings), text=True, capture_output=True, stdin=subprocess.DEVNULL)
        if r.returncode:
            raise SqlError(f'{database}: {r.stderr.strip()}\nin: {statements[-1][:300]}')
        return r.stdout, r.stderr

    def value(self, database, statement, settings=None):
        return self.sql(database, statement, settings=settings)[0].strip()

    def copy_in(self, database, statement, blocks):
        """COPY ... FROM STDIN fed from an iterable of byte blocks."""
        p = subprocess.Popen(self._psql(database) + ['-c', statement], env=self._env(None), stdin=subprocess.PIPE,
                             stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            for b in blocks:
                p.stdin.write(b)
            p.stdin.close()
        except BrokenPipeError:
            pass
        out = p.stdout.read().decode()
        if p.wait():
            raise SqlError(f'{database}: {out.strip()}\nin: {statement}')

    def timed(self, database, before, statement, settings=None):
        """Runs `statement` after `before` in one session. Returns seconds by the client's clock, seconds the backend was on
        a CPU and seconds it stood in a run queue (None where the kernel does not say), and the server's messages."""
        stat = "SELECT 'sched ' || pg_read_file('/proc/self/schedstat')" if os.path.exists('/proc/self/schedstat') else "SELECT ''"
        out, err = self.sql(database, *before, stat, '\\timing on', statement, '\\timing off', stat, settings=settings)
        ms = [float(x) for x in re.findall(r'^Time: ([0-9.]+) ms', out, re.M)]
        sched = [[int(y) / 1e9 for y in x] for x in re.findall(r'^sched (\d+) (\d+)', out, re.M)]
        cpu, wait = (sched[1][0] - sched[0][0], sched[1][1] - sched[0][1]) if len(sched) == 2 else (None, None)
        return dict(seconds=ms[0] / 1000, cpu=cpu, wait=wait, messages=[m for m in err.splitlines() if m.strip()])

    def pgbench(self, database, script, settings, seconds=None, transactions=None, clients=1, variables=()):
        """One pgbench run, prepared protocol. Returns tps without connection time, and the share of their runnable time that
        the backends spent waiting for a CPU (a sign of a disturbed measurement; None where the kernel does not say)."""
        path = os.path.join(self.dir, f'script.{os.getpid()}.sql')
        with open(path, 'w') as f:
            f.write(script)
        args = [os.path.join(self.bin, 'pgbench'), '-n', '-M', 'prepared', '-c', str(clients), '-j', str(min(clients, os.cpu_count() or 1)),
                '-h', self.dir, '-U', 'postgres', '-f', path]
        args += ['-T', str(seconds)] if seconds else ['-t', str(transactions)]
        args += [a for v in variables for a in ('-D', v)]
        p = subprocess.Popen(args + [database], env=self._env(settings) | {'PGAPPNAME': 'annbench'}, text=True,
                             stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
        watch = threading.Thread(target=self._watch, args=(p, database, seen := {}), daemon=True)
        watch.start()
        out, err = p.communicate()
        watch.join()
        tps = re.search(r'^tps = ([0-9.]+) \(without initial connection time\)', out, re.M)
        failed = re.search(r'^number of failed transactions: ([1-9]\d*)', out, re.M)
        if p.returncode or not tps or failed:
            raise SqlError(f'pgbench in {database}: {err.strip()[-2000:]}\n{out}')
        run, wait = (sum(x[i] for x in seen.values()) for i in (0, 1))
        return float(tps.group(1)), wait / (run + wait) if run else None

    def _watch(self, process, database, seen):
        if not os.path.exists('/proc/self/schedstat'):
            return
        time.sleep(0.1)
        try:
            pids = self.value('postgres', f"SELECT pid FROM pg_stat_activity WHERE application_name = 'annbench' AND datname = '{database}'").split()
        except SqlError:
            return
        while process.poll() is None and pids:
            for pid in pids:
                try:
                    with open(f'/proc/{pid}/schedstat') as f:
                        seen[pid] = [int(x) for x in f.read().split()[:2]]
                except (OSError, ValueError):
                    pass
            time.sleep(0.05)


def raise_on_signals():
    """SIGTERM and SIGHUP end the benchmark as Ctrl-C does, so that the server is stopped."""
    def leave(number, frame):
        raise SystemExit(128 + number)
    for s in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(s, leave)
