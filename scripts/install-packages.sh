#!/bin/sh
# Installs the Debian packages that a purpose needs and that are not there yet.
#
#   scripts/install-packages.sh [build|demo|check|apps]
#
# Does nothing, and needs nothing, when all are there.
set -eu

build='gcc libc6-dev make binutils libpcap-dev libncurses-dev curl ca-certificates'
demo="$build bash iproute2 iptables libpcap0.8 procps nginx-light iperf3 gnuplot-nox"
check="$demo clang clang-tidy clang-format cppcheck shellcheck libcmocka-dev
    libnetfilter-queue-dev redis-server redis-tools wrk netcat-openbsd openssh-server
    openssh-client python3 tcpdump tshark ethtool util-linux strace chromium-headless-shell"
# Programs of tests/interop/servers.sh and tests/apps, as far as the above does not have them.
apps="$demo nginx-light apache2-bin haproxy openssl openssh-server openssh-client rsync git fcgiwrap lighttpd
    vsftpd lftp busybox openbsd-inetd socat wrk tmux memcached tcpdump util-linux
    postgresql redis-server redis-tools nodejs default-jdk-headless python3 mosquitto mosquitto-clients
    beanstalkd"

case ${1:-build} in
build) wanted=$build ;;
demo) wanted=$demo ;;
check) wanted=$check ;;
apps) wanted=$apps ;;
*)
    echo "usage: $0 [build|demo|check|apps]" >&2
    exit 2
    ;;
esac

# A package counts as there when it is installed or something installed provides it
# (nginx-light is one of several packages that bring /usr/sbin/nginx).
is_there() {
    case $1 in
    nginx-light) [ ! -x /usr/sbin/nginx ] || return 0 ;;
    default-jdk-headless) [ ! -x /usr/bin/javac ] || return 0 ;;
    clang | clang-tidy | clang-format) ! command -v "$1" >/dev/null || return 0 ;;
    esac
    [ "$(dpkg-query --show --showformat='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

missing=
for package in $wanted; do
    is_there "$package" || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ]; then
    echo "$0: these packages are missing; install them as root: apt-get install$missing" >&2
    exit 1
fi
echo "installing:$missing"

# Servers are wanted as programs, not as services: nothing may start listening.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    trap 'exit 130' INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

export DEBIAN_FRONTEND=noninteractive
apt-get update --quiet --quiet
# shellcheck disable=SC2086 # the list is meant to be split
apt-get install -o DPkg::Lock::Timeout=300 --yes --quiet --quiet --no-install-recommends $missing >/dev/null
