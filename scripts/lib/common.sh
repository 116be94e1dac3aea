# common.sh: what scripts/run and scripts/test share. Sourced by bash; $top is the source tree.
# shellcheck shell=bash disable=SC2034

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

# Debian packages: to build, to run, to test.
BUILD_PACKAGES=(build-essential pkg-config libfcgi-dev libssl-dev libplist-dev libmariadb-dev
    libjansson-dev libcurl4-openssl-dev libinih-dev libarchive-dev libqrencode-dev)
RUN_PACKAGES=(mariadb-server-core mariadb-client-core mariadb-client lighttpd lighttpd-mod-openssl
    openssl curl ca-certificates procps util-linux)
APACHE_PACKAGES=(apache2-bin libapache2-mod-fcgid)
TEST_PACKAGES=(libcmocka-dev python3 python3-yaml shellcheck mandoc libplist-utils libxml2-utils
    clang-format nghttp2-client git nodejs npm strongswan-pki libstrongswan-extra-plugins
    scep nginx-light)

# The packages of the list that are not installed.
packages_missing() {
    local p
    for p in "$@"; do
        # Node.js comes in many ways, and another one's npm does not go with Debian's: the command
        # is what counts.
        case $p in
        npm) ! command -v npm >/dev/null || continue ;;
        nodejs) ! command -v node >/dev/null || continue ;;
        esac
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'install ok installed' || say "$p"
    done
}

# packages_need YES PACKAGE...: installs what is missing; asks once unless YES is 1.
packages_need() {
    local yes=$1 missing sudo=() answer
    shift
    command -v dpkg-query >/dev/null || {
        say "This is no Debian: taking it that these are there: $*"
        return 0
    }
    mapfile -t missing < <(packages_missing "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    say "Debian packages to install: ${missing[*]}"
    if [ "$(id -u)" != 0 ]; then
        command -v sudo >/dev/null || die "they need root: apt-get install ${missing[*]}"
        sudo=(sudo)
    fi
    if [ "$yes" != 1 ]; then
        [ -t 0 ] || die "nobody to ask; say --yes, or run: apt-get install ${missing[*]}"
        read -r -p "Install them now? [Y/n] " answer
        case $answer in '' | [Yy]*) ;; *) die "then run: apt-get install ${missing[*]}" ;; esac
    fi
    packages_install "${missing[@]}"
}

# The browser of the tests: Chromium without windows does with half the work; the whole one will do.
packages_browser() {
    (packages_need 1 chromium-headless-shell) || packages_need 1 chromium
}

# Installs without starting the services that come with the packages (lighttpd on port 80): a
# policy-rc.d that says no stands while apt-get runs.
packages_install() {
    local policy=/usr/sbin/policy-rc.d ours=0 result=0
    if [ ! -e $policy ]; then
        ours=1
        printf '#!/bin/sh\nexit 101\n' | "${sudo[@]}" tee $policy >/dev/null
        "${sudo[@]}" chmod 755 $policy
    fi
    "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends \
        -o Dpkg::Use-Pty=0 "$@" </dev/null >/dev/null 2>&1 ||
        { "${sudo[@]}" apt-get update -qq </dev/null &&
            "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -qq -y \
                --no-install-recommends -o Dpkg::Use-Pty=0 "$@" </dev/null; } || result=$?
    [ $ours = 0 ] || "${sudo[@]}" rm -f $policy
    [ $result = 0 ] || die "apt-get failed ($result); install these packages and start again: $*"
}

# A process is named by its id and its start time (field 22 of /proc/PID/stat), so that a number
# that was given to another process since is never mistaken for it. Sets $started. No process is
# started for it: it is asked about every program four times a second.
process_start() {
    local stat=
    started=
    { read -r -d '' stat <"/proc/$1/stat"; } 2>/dev/null
    [ -n "$stat" ] || return 1
    # shellcheck disable=SC2086
    set -- ${stat##*) }
    [ "$1" != Z ] || return 1 # ended, and its parent has not asked yet
    started=${20}
}

# process_record FILE PID: whole or not at all.
process_record() {
    process_start "$2"
    printf '%s %s\n' "$2" "$started" >"$1.$2" && mv "$1.$2" "$1"
}

# Is the process in FILE still there, that very one? Sets $here to its id.
process_here() {
    local start=
    here=
    { read -r here start <"$1"; } 2>/dev/null || return 1
    [ -n "$start" ] && process_start "$here" && [ "$started" = "$start" ]
}

# The process id in FILE when that very process is still there.
process_alive() {
    process_here "$1" && say "$here"
}

# process_end FILE SIGNAL SECONDS: ends it and waits; kills it when it does not listen.
process_end() {
    local pid tries=0
    pid=$(process_alive "$1") || {
        rm -f "$1"
        return 0
    }
    kill "-$2" "$pid" 2>/dev/null
    while process_alive "$1" >/dev/null; do
        tries=$((tries + 1))
        if [ $tries -gt $(($3 * 20)) ]; then
            say "${1##*/} ($pid) does not end; killing it" >&2
            kill -KILL "$pid" 2>/dev/null
            break
        fi
        sleep 0.05
    done
    rm -f "$1"
}

json_string() {
    local s=$1
    s=${s//\\/\\\\}
    s=${s//\"/\\\"}
    s=${s//$'\n'/\\n}
    printf '"%s"' "$s"
}

random_word() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

# render IN OUT: replaces each @KEY@ by ${WORDS[KEY]}; complains about one that is unknown.
declare -A WORDS
render() {
    local text key
    text=$(cat "$1") || die "cannot read $1"
    for key in "${!WORDS[@]}"; do text=${text//"@$key@"/${WORDS[$key]}}; done
    if [[ $text =~ @[A-Z_]+@ ]]; then die "$1: nothing to put for ${BASH_REMATCH[0]}"; fi
    printf '%s\n' "$text" >"$2.new" && mv "$2.new" "$2"
}
