# Sourced by fetch: builds a CPython of which Debian has no package, from Debian's source of the release.

# build_release VERSIONt SUITE: a free-threaded build, without markers, in ROOT-VERSIONt/usr.
build_release() {
    local version=$1 suite=$2
    local release=${version%t} root=$cache/ROOT-$1 folder=$work/source-$1
    local stamp="layout $layout $deb_arch $suite $(getconf GNU_LIBC_VERSION)"
    if [ "$(head -n 1 "$root/.stamp" 2>/dev/null)" = "$stamp" ]; then return 0; fi
    [ -n "${archive:-}" ] || archive_init
    say "building a free-threaded Python $release from the source in Debian $suite: this takes some minutes"
    archive_update "$suite"
    archive_sources "$suite" "$folder" "python$release"
    mkdir "$folder/tree"
    tar -x -C "$folder/tree" --strip-components=1 --no-same-owner -f "$folder/python${release}_"*.orig.tar.xz
    # As fast as gcc -O1 builds it: what is tested does not depend on it.
    (
        cd "$folder/tree"
        ./configure -q --prefix="$root/usr" --disable-gil --disable-test-modules --without-ensurepip \
            OPT='-O1 -DNDEBUG'
        make -s -j "$(nproc)"
        make -s install DESTDIR="$folder/installed"
    ) >"$folder/log" 2>&1 </dev/null || {
        tail -n 30 "$folder/log" | sed 's/^/  build: /' >&2
        die "a free-threaded Python $release cannot be built"
    }
    printf '%s\n' "$stamp" >"$folder/installed$root/.stamp"
    mkdir "$folder/installed$root/private-lib"
    rm -rf "$root"
    mv "$folder/installed$root" "$root"
    rm -rf "$folder"
}
