#!/bin/sh
# Install a Python that TensorFlow supports below .make/ by uv, and print its path.
#
# uv is the one on the path, or the locked one (.make/uv.txt), which any python3 with venv
# installs. It fetches Python from where UV_PYTHON_INSTALL_MIRROR says, and checks its digest.
set -eu
version=${PYTHON_VERSION:-3.11}
export UV_PYTHON_INSTALL_DIR="$PWD/.make/python"
log=.make/python.log

install() {
	if ! uv=$(command -v uv); then
		uv=.make/uv/bin/uv
		python3 -m venv --clear .make/uv &&
			.make/uv/bin/python -m pip install --quiet --require-hashes -r .make/uv.txt || return 1
	fi
	"$uv" python install --no-bin $version
}

echo "There is no Python 3.10 to 3.13 here: installing $version by uv." >&2
if ! install >$log 2>&1; then
	echo "Python $version could not be installed by uv ($log says why): install Python 3.10 to 3.13" \
		"with your system's packages, or say PYTHON=/path/to/it." >&2
	exit 1
fi
"$uv" python find --managed-python $version
