# Sourced by fetch: turns the packages of one release into a self-contained folder ROOT-X.Y that
# also serves as a chroot.

# unpack_release VERSION SUITE
unpack_release() {
    local version=$1 suite=$2
    local root=$cache/ROOT-$version
    if [ "$(head -n 1 "$root/.stamp" 2>/dev/null)" = "layout $layout $deb_arch $suite" ]; then
        unpack_more "$version" "$suite"
        return 0
    fi
    [ -n "${archive:-}" ] || archive_init
    say "fetching Python $version of Debian $suite"
    archive_update "$suite"
    local packages=("python$version" "python$version-minimal" "libpython$version")
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
    unpack_more "$version" "$suite"
}

# unpack_extras VERSION: what is wanted besides the interpreter. The standard library's own tests, of the releases where
# they are run; and coverage.
unpack_extras() {
    case $1 in
    3.9 | 3.15) echo "libpython$1-testsuite" ;;
    3.13) echo "libpython$1-testsuite python3-coverage" ;;
    esac
}

# unpack_more VERSION SUITE: adds those of them that a ROOT lacks.
unpack_more() {
    local version=$1 suite=$2 package
    local root=$cache/ROOT-$version
    for package in $(unpack_extras "$version"); do
        if grep -q "^$package " "$root/.stamp"; then continue; fi
        local folder=$work/$package
        [ -n "${archive:-}" ] || archive_init
        say "fetching $package"
        archive_update "$suite"
        archive_download "$suite" "$folder" download "$package"
        unpack_packages "$folder" "$root" >"$folder/stamp"
        chmod -R a+rX,u+w "$root/usr/lib"
        rm -f "$root/.compiled"
        cat "$folder/stamp" >>"$root/.stamp"
    done
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
