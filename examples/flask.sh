#!/bin/sh
# A small Flask application on port 8080.
. "$(dirname "$0")/lib.sh"
bundle "$@"
cat >app.py <<'END'
import os

from flask import Flask, jsonify

app = Flask(__name__)


@app.get("/")
def hello():
    return jsonify(message="hello from flask", uid=os.getuid())
END
chmod 644 app.py
config --root "$(debian_rootfs)" --user "${SERVICE_UID:-1000}" --tmpfs /tmp \
	--file "$PWD/app.py:/srv/app.py" --env PYTHONUNBUFFERED=1 --cwd /srv -- \
	python3 -m flask --app /srv/app run --host 0.0.0.0 --port 8080
