#!/bin/sh
# Makes the bundle and the report of this folder anew: sh samples/modno_16/make.sh [FOLDER FOR THE RUN]
set -e
here=$(dirname "$0")
run=${1:-$(mktemp -d)/run}
edgepde train modno_16 --out "$run"
edgepde export "$run" --out "$here/bundle" --name modno_16 --precision f16w --target c99
edgepde verify "$here/bundle"
edgepde report "$here/bundle" --out "$here/report.html"
python "$here/sample.py"
