#!/bin/sh
# A launcher of compilers: what is compiled through it counts how often its lines run.
exec "$@" --coverage
