# Deploys the Compose stack in this folder from a registry, and rolls it back when a release fails.
#
#   compose.yml  .env  secrets/  seeds/  stack     put into the folder by a person
#   release.yml  releases/  backups/               written by this script
#
# A release is a set of images, each by its digest. It is stored as releases/ID.yml, a Compose file that is laid
# over compose.yml; ID is a hash of the digests. release.yml is a copy of the release that should run, and
# releases/current names the release that was last seen to work. Every decision follows from these two files, so
# the next run completes or undoes what a killed run had begun.
#
# The server needs Docker and no other program. HTTP requests and the check of .env are therefore made by
# compose-init itself, in a container of the init image.
set -Eeuo pipefail
export LC_ALL=C
cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")"
umask 077
PATH=$PATH:/usr/local/bin:/snap/bin # cron has neither
[[ ! -w /dev/shm ]] || TMPDIR=/dev/shm # for here-documents, which bash 4.4 writes to a file: a disk may be full

readonly STATE=releases

readonly EXIT_FAILED=1
readonly EXIT_UNHEALTHY=2 # failed, and what serves is not known to be healthy
readonly EXIT_CHANGES=2   # of `plan`
readonly EXIT_REGISTRY=69
readonly EXIT_BUSY=75
readonly EXIT_USAGE=78

# What a run knows about itself.
EVENT=""            # deploy or rollback; only these two are written to the history and send alerts
BY_TIMER=""         # yes where no person has started this run: the timer, or a push
LOCKED=""           # yes while this run holds the lock
TARGET=""           # the ID of the release that this run deploys
ROLLED_BACK_FROM="" # the ID of the release that a rollback leaves
ADOPTS=""           # yes in `install`, which takes a project over whose folder, engine or name has changed
NEW_DATA=""         # yes where a person says that services may have other data than before
DOCKER_FAULT=""     # why Docker does not answer, where a command can do without
INIT_RAN=""         # yes once releases/init.log is of this run

# How functions report a failure that the caller decides about: they return 1 and set these two.
REASON="" # one line for people; the same failure has the same line
DETAIL="" # what differs from time to time, such as the output of a program
