"""A throwaway server with the extension, and sessions of psql on it."""

import getpass
import os
import re
import shutil
import subprocess

import machine

# Timed inside the server; the text of a call is in the server before its time starts
FUNCTIONS = r"""
CREATE EXTENSION srm;

CREATE FUNCTION bench_seconds(since timestamptz) RETURNS float8 LANGUAGE sql VOLATILE
RETURN extract(epoch FROM clock_timestamp() - since);

CREATE FUNCTION bench_score(prompt text, response text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := clock_timestamp();
	score real := srm_score(prompt, response);
BEGIN
	RETURN bench_seconds(started);
END $$;

CREATE FUNCTION bench_score_each(prompts text[], responses text[]) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := clock_timestamp();
	score real;
BEGIN
	FOR i IN 1 .. cardinality(responses) LOOP
		score := srm_score(prompts[i], responses[i]);
	END LOOP;
	RETURN bench_seconds(started);
END $$;

CREATE FUNCTION bench_scores(prompt text, responses text[]) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := clock_timestamp();
	scores real[] := srm_scores(prompt, responses);
BEGIN
	RETURN bench_seconds(started);
END $$;

CREATE FUNCTION bench_margin(prompt text, chosen text, rejected text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := clock_timestamp();
	margin real := srm_margin(prompt, chosen, rejected);
BEGIN
	RETURN bench_seconds(started);
END $$;

CREATE FUNCTION bench_sentences(prompt text, response text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := clock_timestamp();
	n bigint := (SELECT count(reward) FROM srm_sentence_rewards(prompt, response));
BEGIN
	RETURN bench_seconds(started);
END $$;

CREATE FUNCTION bench_query(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	started timestamptz := clock_timestamp();
BEGIN
	EXECUTE query;
	RETURN bench_seconds(started);
END $$;
"""


def literal(text):
    return "'" + text.replace("'", "''") + "'"


def array(texts):
    return "ARRAY[" + ", ".join(map(literal, texts)) + "]::text[]"


class SqlError(Exception):
    pass


class Server:
    """Servers refuse to be root, so root runs them as user postgres."""

    def __init__(self, pg_config, directory, settings):
        self.bindir = subprocess.run([pg_config, "--bindir"], check=True, capture_output=True,
                                     text=True).stdout.strip()
        self.directory = directory
        self.data = os.path.join(directory, "data")
        self.past_seconds = 0.0
        shutil.rmtree(directory, ignore_errors=True)
        os.makedirs(directory)
        if os.geteuid() == 0:
            shutil.chown(directory, "postgres")
        self.run("initdb", "-D", self.data, "-A", "trust", "-U", "postgres", "-E", "UTF8",
                 "--locale=C.UTF-8", "--no-sync")
        self.settings = {"listen_addresses": "", "unix_socket_directories": directory, "fsync": "off",
                         "max_worker_processes": "8", **settings}
        self.start()
        try:
            with self.session() as session:
                session.ask(FUNCTIONS)
        except BaseException:
            self.stop()
            raise

    def run(self, program, *arguments):
        command = [os.path.join(self.bindir, program), *arguments]
        if os.geteuid() == 0:
            command = ["runuser", "-u", "postgres", "--"] + command
        # The server must not keep our output open
        done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                              stderr=subprocess.PIPE if program != "pg_ctl" else subprocess.DEVNULL,
                              env=self.environment(), check=False, cwd="/")
        if done.returncode != 0:
            raise SqlError(f"{program} failed: {(done.stderr or b'').decode()}; see {self.directory}/log")

    def environment(self):
        user = "postgres" if os.geteuid() == 0 else getpass.getuser()
        return {"PATH": os.environ["PATH"], "HOME": "/", "LANG": "C.UTF-8", "USER": user}

    def start(self, **more):
        with open(os.path.join(self.data, "postgresql.auto.conf"), "w", encoding="utf-8") as file:
            for name, value in {**self.settings, **more}.items():
                file.write(f"{name} = {literal(value)}\n")
        self.run("pg_ctl", "-D", self.data, "-l", os.path.join(self.directory, "log"), "-w", "start")

    def seconds(self):
        """Processor time of the server, of the runs before a restart, too."""
        postmaster = self.postmaster()
        return self.past_seconds + (machine.family_seconds(postmaster) if postmaster else 0.0)

    def stop(self):
        self.past_seconds = self.seconds()
        self.run("pg_ctl", "-D", self.data, "-m", "fast", "-w", "stop")

    def restart(self, **more):
        self.stop()
        self.start(**more)

    def postmaster(self):
        try:
            with open(os.path.join(self.data, "postmaster.pid"), encoding="ascii") as file:
                return int(file.readline())
        except OSError:
            return None

    def session(self, **settings):
        return Session(self, settings)


class Session:
    """One psql, which stays."""

    END = "--bench-end--"

    def __init__(self, server, settings):
        command = [os.path.join(server.bindir, "psql"), "-X", "-q", "-A", "-t", "-h", server.directory,
                   "-U", "postgres", "-d", "postgres", "-v", "VERBOSITY=terse"]
        # Without PGPORT and its like, which are of another server
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.STDOUT, text=True, encoding="utf-8",
                                        env=server.environment())
        for name, value in settings.items():
            self.set(name.replace("__", "."), value)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.close()

    def ask(self, sql):
        """The lines that come back."""
        self.process.stdin.write(f"{sql.rstrip().rstrip(';')};\n\\echo {self.END}\n")
        self.process.stdin.flush()
        lines = []
        while True:
            line = self.process.stdout.readline()
            if line == "":
                raise SqlError("psql has ended: " + "\n".join(lines))
            line = line.rstrip("\n")
            if line == self.END:
                break
            lines.append(line)
        errors = [line for line in lines if re.match(r"(ERROR|FATAL|PANIC):", line)]
        if errors:
            raise SqlError(errors[0])
        return [line for line in lines if not re.match(r"(WARNING|NOTICE|DETAIL|HINT|INFO|LOG):", line)]

    def value(self, sql):
        return self.ask(sql)[-1]

    def seconds(self, call):
        return float(self.value(f"SELECT {call}"))

    def set(self, name, value):
        self.ask("LOAD 'srm'")
        self.ask(f"SET {name} = {literal(str(value))}")

    def pid(self):
        return int(self.value("SELECT pg_backend_pid()"))

    def close(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()
