#!/bin/bash -p
# Runs before every job (ACTIONS_RUNNER_HOOK_JOB_STARTED); any other exit status than 0 ends the job before its first step.
# Nothing of the job's environment reaches the decision but what GitHub's runner sets itself.
set -eu
PATH=/usr/bin:/bin
here=$(dirname "$(readlink -f "$0")")
exec /usr/bin/env -i \
  GITHUB_EVENT_NAME="${GITHUB_EVENT_NAME-}" GITHUB_EVENT_PATH="${GITHUB_EVENT_PATH-}" GITHUB_REF="${GITHUB_REF-}" \
  GITHUB_REPOSITORY="${GITHUB_REPOSITORY-}" GITHUB_WORKFLOW_REF="${GITHUB_WORKFLOW_REF-}" \
  /usr/bin/python3 -I -S "$here/job_started.py"
