# Called by `go test -exec` in place of a test binary, in the folder of its package: keeps the binary, runs nothing of it.
# Usage: keep.sh FOLDER BINARY ARGUMENTS...
name=$(printf '%s' "$PWD" | tr -c 'A-Za-z0-9._-' '_' | tail -c 60)$(printf '%s' "$PWD" | cksum | tr -d ' ')
cp -- "$2" "$1/$name.test" && printf '%s\n%s\n' "$PWD" "$1/$name.test" >>"$1/kept"
