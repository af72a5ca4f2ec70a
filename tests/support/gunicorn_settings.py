"""What Gunicorn makes of configurations: reads ``[{"cwd", "env", "args"}]`` as JSON on standard
input, and writes the settings of each, or ``{"error": STATUS}``.

Each is read in a process of its own, because Gunicorn reads some variables when it is imported."""

import json
import os
import sys


def settings_of(case):
    os.chdir(case["cwd"])
    os.environ.clear()
    os.environ.update(case["env"])
    sys.argv = ["gunicorn", *case["args"]]
    from gunicorn.app.wsgiapp import WSGIApplication

    application = WSGIApplication("%(prog)s [OPTIONS] [APP_MODULE]")
    values = {name: application.cfg.settings[name].get() for name in application.cfg.settings}
    values["wsgi_app"] = application.app_uri
    return values


def facts():
    from gunicorn import __version__, config

    return {
        "version": __version__,
        "settings": [
            {"name": setting.name, "flags": setting.cli or [], "default": setting.default}
            for setting in config.KNOWN_SETTINGS
        ],
    }


def in_child(work):
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = work()
        except SystemExit as end:
            answer = {"error": end.code}
        except BaseException as error:
            answer = {"error": type(error).__name__}
        with open(sending, "w") as output:
            json.dump(answer, output, default=lambda value: None)
        os._exit(0)
    os.close(sending)
    with open(receiving) as answer:
        text = answer.read()
    os.waitpid(pid, 0)
    return json.loads(text)


if __name__ == "__main__":
    if sys.argv[1:] == ["facts"]:
        json.dump(in_child(facts), sys.stdout)
    else:
        # Their messages are not wanted.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        json.dump(
            [in_child(lambda case=case: settings_of(case)) for case in json.load(sys.stdin)],
            sys.stdout,
        )
