# Sourced by fetch: gets Debian packages of a given suite, through a private apt state, from the
# archive that this machine's own apt configuration names. Needs no root and changes nothing
# outside $work. Every index is verified by apt against Debian's archive keys.

# The settings of the machine's apt that concern reaching the archive (proxies, credentials,
# time checks), without its sources, hooks and extra indexes.
archive_init() {
    archive=$work/apt
    mkdir -p "$archive"
    : >"$archive/status"
    apt-config dump |
        grep -E '^(Acquire::|Dir |Dir::(Bin|Etc(::(netrc|netrcparts|trusted|trustedparts))?)[: ])' |
        grep -v '^Acquire::IndexTargets' >"$archive/apt.conf"
    chmod 600 "$archive/apt.conf"
    cat >>"$archive/apt.conf" <<EOF
APT::Architecture "$deb_arch";
APT::Architectures { "$deb_arch"; };
APT::Install-Recommends "false";
APT::Get::AllowUnauthenticated "false";
APT::Update::Error-Mode "any";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
Acquire::Languages "none";
Acquire::Retries "3";
Debug::NoLocking "true";
Dir::Etc::main "/dev/null";
Dir::Etc::parts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
Dir::Etc::sourceparts "/dev/null";
Dir::State::status "$archive/status";
EOF
    archive_find_entries
}

# Fills $archive/entries with the machine's Debian entries, the likeliest first.
archive_find_entries() {
    local list='' parts='' files=() file
    eval "$(apt-config shell list Dir::Etc::sourcelist/f parts Dir::Etc::sourceparts/d)"
    for file in "$list" "$parts"/*.list "$parts"/*.sources; do
        [ -f "$file" ] && [ -r "$file" ] && files+=("$file")
    done
    [ ${#files[@]} -gt 0 ] || die "apt has no source files ($list, $parts): configure a Debian source first"
    awk -f "$here/sources.awk" "${files[@]}" | sort -s -n -k1,1 >"$archive/entries"
    [ -s "$archive/entries" ] ||
        die "none of apt's sources is a Debian archive with component main: ${files[*]}"
}

# archive_apt SUITE TOOL ARGS...: runs TOOL with the private state of SUITE.
archive_apt() {
    local suite=$1 tool=$2
    shift 2
    local state=$archive/$suite
    APT_CONFIG=$archive/apt.conf "$tool" -q -o "Dir::State=$state/state" -o "Dir::Cache=$state/cache" \
        -o "Dir::Etc::sourcelist=$state/suite.sources" "$@"
}

# archive_try URI SIGNED-BY SUITE: downloads and verifies the index of SUITE.
archive_try() {
    local uri=$1 signed=$2 suite=$3
    local state=$archive/$suite
    rm -rf "$state"
    mkdir -p "$state/state/lists/partial" "$state/cache/archives/partial"
    {
        printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$suite"
        [ -z "$signed" ] || printf 'Signed-By: %s\n' "$signed" | tr '\001' '\n'
    } >"$state/suite.sources"
    archive_apt "$suite" apt-get update >"$state/log" 2>&1 || return 1
    if ! grep -qsx 'Origin: Debian' "$state"/state/lists/*Release; then
        echo "the archive at $uri does not call itself Debian" >>"$state/log"
        return 1
    fi
}

# archive_update SUITE: makes the index of SUITE available, or ends with a message.
archive_update() {
    local suite=$1 rank uri own signed
    [ ! -e "$archive/$suite/verified" ] || return 0
    while IFS=$'\t' read -r rank uri own signed <&3; do
        if archive_try "$uri" "$signed" "$suite"; then
            : >"$archive/$suite/verified"
            return 0
        fi
    done 3<"$archive/entries"
    if grep -qE 'NO_PUBKEY|EXPKEYSIG|not signed|[Mm]issing key|verif' "$archive/$suite/log"; then
        say "the machine's keys do not verify $suite: looking for a newer debian-archive-keyring"
        archive_newer_keyring
        if archive_try "$keyring_uri" "$keyring" "$suite"; then
            : >"$archive/$suite/verified"
            return 0
        fi
    fi
    sed 's/^/  apt: /' "$archive/$suite/log" >&2
    die "cannot get a verified index of Debian $suite from the configured archive"
}

# Sets keyring to the newest debian-archive-keyring that a chain of verified suites leads to: the
# machine's keys verify one suite, whose package holds the keys of the next.
archive_newer_keyring() {
    [ -z "${keyring:-}" ] || return 0
    local rank uri own signed suite debs version='' got
    while IFS=$'\t' read -r rank uri own signed <&3; do
        for suite in "$own" bullseye bookworm trixie forky sid; do
            archive_try "$uri" "${keyring:-$signed}" "$suite" || continue
            archive_download "$suite" "$archive/keyring.$suite" download debian-archive-keyring
            debs=("$archive/keyring.$suite"/*.deb)
            got=$(dpkg-deb -f "${debs[0]}" Version)
            [ -z "$version" ] || dpkg --compare-versions "$got" gt "$version" || continue
            version=$got
            dpkg-deb -x "${debs[0]}" "$archive/keyring.$suite/tree"
            keyring=$archive/keyring.$suite/tree/usr/share/keyrings/debian-archive-keyring.gpg
            keyring_uri=$uri
            [ -e "$keyring" ] || die "debian-archive-keyring $got holds no debian-archive-keyring.gpg"
        done
        [ -z "${keyring:-}" ] || return 0
    done 3<"$archive/entries"
    sed 's/^/  apt: /' "$archive/$suite/log" >&2
    die "no suite of the configured archive verifies with this machine's keys"
}

# archive_download SUITE FOLDER closure|download PACKAGES...: puts .deb files into FOLDER; closure
# adds everything that the packages depend on.
archive_download() {
    local suite=$1 folder=$2 how=$3 log=$archive/$1/log
    shift 3
    mkdir -p "$folder"
    case $how in
    closure)
        archive_apt "$suite" apt-get install --download-only -y "$@" >"$log" 2>&1 &&
            mv "$archive/$suite"/cache/archives/*.deb "$folder"
        ;;
    download) (cd "$folder" && archive_apt "$suite" apt-get download "$@") >"$log" 2>&1 ;;
    esac || {
        sed 's/^/  apt: /' "$log" >&2
        die "cannot download $* of Debian $suite"
    }
}

# archive_sources SUITE FOLDER PACKAGE: puts the files of a source package into FOLDER.
archive_sources() {
    local suite=$1 folder=$2 package=$3 log=$archive/$1/log
    mkdir -p "$folder"
    sed -i 's/^Types: deb$/Types: deb deb-src/' "$archive/$suite/suite.sources"
    {
        archive_apt "$suite" apt-get update &&
            (cd "$folder" && archive_apt "$suite" apt-get source --download-only --only-source "$package")
    } >"$log" 2>&1 || {
        sed 's/^/  apt: /' "$log" >&2
        die "cannot download the source of $package of Debian $suite"
    }
}
