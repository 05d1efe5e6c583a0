# Sourced by every script of this provider: the checks they share. Not for state: nothing is kept on the node.
# Ganeti sets VOL_NAME (its own name of the disk), VOL_CNAME (ours), VOL_SIZE and VOL_NEW_SIZE (MiB), EXTP_<PARAMETER>.
set -eu

fail() {
  echo "archipelago: $*" >&2
  exit 1
}

# The volume behind a disk is the one that its Ganeti name says: snf-vol-<volume uuid>, or the parameter "volume".
# A disk without either is no volume of ours: it keeps Ganeti's name, so that a cluster can be tried by hand.
find_volume() {
  volume=${EXTP_VOLUME:-${VOL_CNAME:-${VOL_NAME:-}}}
  case $volume in
    '') fail "no volume named: VOL_CNAME, VOL_NAME and the parameter 'volume' are all empty" ;;
    .* | -* | *[!A-Za-z0-9._-]*) fail "bad volume name '$volume'" ;;
  esac
}

# A size in MiB, whole and above zero.
check_size() {
  case ${2:-} in
    '' | *[!0-9]* | 0) fail "$1 of '$volume' must be a whole number of MiB above 0, not '${2:-}'" ;;
  esac
}
