#!/bin/sh
# Stands in for the official image's entry point: a bare sub-command is Vault's.
set -e
case $1 in server | agent | status) set -- vault "$@" ;; esac
exec "$@"
