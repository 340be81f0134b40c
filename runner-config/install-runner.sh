#!/usr/bin/env bash
# Installs the tuning, its systemd units and the job hook on a Debian or Ubuntu machine, and takes them away again.
#
#   install-runner.sh install --repository OWNER/NAME   files to /opt/perforch-runner, units enabled, policy written if there is none
#   install-runner.sh uninstall                         all of it gone, settings restored; the policy and the runner stay
#   --dry-run      say what would be done
#   --root DIR     install below DIR and start nothing (images, tests)
#
# GitHub's runner itself goes to /opt/actions-runner by hand: see README.md.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
root='' dry=false action='' repository=''
usage() {
  sed -n '2,10s/^# \{0,1\}//p' "$0" >&2
  exit 2
}
while [ $# -gt 0 ]; do
  case "$1" in
    install | uninstall) [ -z "$action" ] || usage; action=$1 ;;
    --dry-run) dry=true ;;
    --root) [ $# -ge 2 ] || usage; root=${2%/}; shift ;;
    --repository) [ $# -ge 2 ] || usage; repository=$2; shift ;;
    *) usage ;;
  esac
  shift
done
[ -n "$action" ] || usage
if [ "$action" = install ] && [[ ! $repository =~ ^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$ ]]; then
  echo "$0: --repository OWNER/NAME says whose jobs may run here" >&2
  exit 2
fi
if [ -z "$root" ] && ! $dry && [ "$(id -u)" -ne 0 ]; then
  echo "$0: $action needs root; --dry-run does not" >&2
  exit 2
fi

programs=(tune.sh job-started.sh job_started.py)
units=(perforch-tune.service perforch.slice perforch-runner.service)

run() {
  if $dry; then echo "would $*"; else "$@"; fi
}

manage() { # systemctl, on a running system only
  if [ -z "$root" ] && [ -d /run/systemd/system ]; then run systemctl "$@"; fi
}

own=() # root's on the machine, the caller's in a test
[ "$(id -u)" -ne 0 ] || own=(-o root -g root)

if [ "$action" = install ]; then
  run install -d "${own[@]}" -m 755 "$root/opt/perforch-runner" "$root/etc/perforch" "$root/etc/systemd/system"
  for file in "${programs[@]}"; do
    run install "${own[@]}" -m 755 "$here/$file" "$root/opt/perforch-runner/$file"
  done
  for unit in "${units[@]}"; do
    run install "${own[@]}" -m 644 "$here/systemd/$unit" "$root/etc/systemd/system/$unit"
  done
  if [ -e "$root/etc/perforch/jobs.json" ]; then
    echo "kept $root/etc/perforch/jobs.json"
  elif $dry; then
    echo "would write $root/etc/perforch/jobs.json for $repository"
  else
    printf '{"repositories": ["%s"], "workflows": ["perforch.yml", "perforch-command.yml", "reprofile.yml"]}\n' \
      "$repository" >"$root/etc/perforch/jobs.json"
    chmod 644 "$root/etc/perforch/jobs.json"
  fi
  if [ -z "$root" ] && ! id perforch-runner >/dev/null 2>&1; then
    run useradd --system --home-dir /opt/actions-runner --shell /usr/sbin/nologin perforch-runner
  fi
  manage daemon-reload
  manage enable --now perforch-tune.service
else
  manage disable --now perforch-runner.service perforch-tune.service
  for unit in "${units[@]}"; do
    run rm -f "$root/etc/systemd/system/$unit"
  done
  run rm -rf "$root/opt/perforch-runner"
  manage daemon-reload
fi
