# Sourced by fetch: turns the packages of one release into a self-contained folder ROOT-X.Y that
# also serves as a chroot.

# unpack_release VERSION SUITE
unpack_release() {
    local version=$1 suite=$2
    local root=$cache/ROOT-$version
    if [ "$(head -n 1 "$root/.stamp" 2>/dev/null)" = "layout $layout $deb_arch $suite" ]; then
        unpack_tests "$version" "$suite"
        return 0
    fi
    [ -n "${archive:-}" ] || archive_init
    say "fetching Python $version of Debian $suite"
    archive_update "$suite"
    local packages=("python$version" "python$version-minimal" "libpython$version")
    if unpack_wants_tests "$version"; then packages+=("libpython$version-testsuite"); fi
    archive_download "$suite" "$work/debs-$version" closure "${packages[@]}"

    local tree=$work/ROOT-$version
    unpack_skeleton "$tree"
    {
        printf 'layout %s %s %s\n' "$layout" "$deb_arch" "$suite"
        unpack_packages "$work/debs-$version" "$tree"
    } >"$work/stamp"
    unpack_relative_links "$tree"
    mv "$work/stamp" "$tree/.stamp"
    chmod -R a+rX,u+w "$tree"
    if [ -e "$root" ]; then mv "$root" "$work/old-$version"; fi
    mv "$tree" "$root"
    rm -rf "$work/debs-$version" "$work/old-$version"
}

# The releases of which the standard library's own tests are run.
unpack_wants_tests() {
    case $1 in 3.9 | 3.13 | 3.15) return 0 ;; *) return 1 ;; esac
}

# unpack_tests VERSION SUITE: adds those tests to a ROOT that was made without them.
unpack_tests() {
    local version=$1 suite=$2
    local root=$cache/ROOT-$version package=libpython$version-testsuite folder=$work/tests-$version
    unpack_wants_tests "$version" || return 0
    if grep -q "^$package " "$root/.stamp"; then return 0; fi
    [ -n "${archive:-}" ] || archive_init
    say "fetching the tests of Python $version"
    archive_update "$suite"
    archive_download "$suite" "$folder" download "$package"
    unpack_packages "$folder" "$root" >"$folder/stamp"
    chmod -R a+rX,u+w "$root/usr/lib/python$version"
    rm -f "$root/.compiled"
    cat "$folder/stamp" >>"$root/.stamp"
}

# The merged-/usr layout: packages of older releases still hold /lib and /bin.
unpack_skeleton() {
    local tree=$1 name
    mkdir -p "$tree"
    for name in bin lib lib64 sbin; do
        mkdir -p "$tree/usr/$name"
        ln -s "usr/$name" "$tree/$name"
    done
    mkdir -p "$tree/dev" "$tree/proc" "$tree/sys"
    mkdir -m 1777 "$tree/tmp"
}

# Unpacks all packages and prints a line "package version" for each.
unpack_packages() {
    local folder=$1 tree=$2 deb
    for deb in "$folder"/*.deb; do
        # Ordinary owner and modes: nothing in a cache shall be set-uid.
        dpkg-deb --fsys-tarfile "$deb" |
            tar -x -C "$tree" --keep-directory-symlink --no-same-owner --no-same-permissions \
                --exclude=./usr/share/doc --exclude=./usr/share/man --exclude=./usr/share/locale \
                --exclude=./usr/share/lintian || die "cannot unpack $deb"
        dpkg-deb -W --showformat='${Package} ${Version}\n' "$deb"
    done
}

# Absolute links would lead out of the folder, into this machine's own files.
unpack_relative_links() {
    local tree=$1 link target
    while IFS= read -r -d '' link; do
        target=$(readlink "$link")
        ln -snrf "$tree$target" "$link"
    done < <(find "$tree" -type l -lname '/*' -print0)
}
