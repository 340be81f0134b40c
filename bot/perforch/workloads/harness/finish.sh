# Runs a command and fails when it did not write its end mark: a program that leaves early with status 0 is no sample.
# Usage: finish.sh MARK COMMAND...
mark=$1
shift
"$@" || exit $?
end=
read -r end <"${TMPDIR:-$HOME}/perforch-end" || exit 97
[ "$end" = "$mark" ] || exit 97
