# Sourced by every script of this provider: the checks they share. Not for state: nothing is kept on the node.
# Ganeti sets VOL_NAME (its own name of the disk), VOL_CNAME (ours), VOL_SIZE and VOL_NEW_SIZE (MiB), EXTP_<PARAMETER>.
set -eu
# shellcheck source=/dev/null
[ ! -r "${SYNNEFO_NODE_CONF:-/etc/default/synnefo-node}" ] || . "${SYNNEFO_NODE_CONF:-/etc/default/synnefo-node}"
socket=${SYNNEFO_NBD_SOCKET:-/run/synnefo/nbd.sock}

fail() {
  echo "archipelago: $*" >&2
  exit 1
}

# The volume behind a disk is the one that its Ganeti name says, snf-vol-<name in the store>, or the parameter "volume".
# A disk without either is no volume of ours: it keeps Ganeti's name, so that a cluster can be tried by hand.
find_volume() {
  volume=${EXTP_VOLUME:-${VOL_CNAME:-${VOL_NAME:-}}}
  volume=${volume#snf-vol-}
  case $volume in
    '') fail "no volume named: VOL_CNAME, VOL_NAME and the parameter 'volume' are all empty" ;;
    .* | -* | *[!A-Za-z0-9._-]*) fail "bad volume name '$volume'" ;;
  esac
}

# The volume must be in the store and as large as Ganeti believes, asked of the node's NBD server. A node without one (fake
# hypervisor) cannot ask; one that must have it says so: SYNNEFO_NBD_REQUIRED=1 in /etc/default/synnefo-node.
check_volume() {
  if [ ! -S "$socket" ]; then
    [ "${SYNNEFO_NBD_REQUIRED:-0}" = 0 ] || fail "no NBD server listens at $socket: start it on this node"
    return 0
  fi
  command -v nbdinfo >/dev/null || fail "nbdinfo is not installed on this node (Debian: libnbd-bin)"
  bytes=$(timeout "${SYNNEFO_NBD_TIMEOUT_S:-10}" nbdinfo --size "nbd+unix:///$volume?socket=$socket" 2>/dev/null) ||
    fail "volume '$volume' is not in the store, or its NBD server does not answer at $socket"
  [ "$bytes" -ge $(($1 * 1048576)) ] || fail "volume '$volume' has $((bytes / 1048576)) MiB, and Ganeti wants $1"
}

# A size in MiB, whole and above zero.
check_size() {
  case ${2:-} in
    '' | *[!0-9]* | 0) fail "$1 of '$volume' must be a whole number of MiB above 0, not '${2:-}'" ;;
  esac
}
