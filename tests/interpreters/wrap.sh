# Sourced by fetch: writes the wrappers in bin/, compiles the embedding programs, checks that each
# interpreter runs, and lists them all in interpreters.tsv.
#
# A wrapper ends in exec and passes its own path as argv[0], so that sys.executable is the wrapper
# and whatever a program starts through it (multiprocessing, subprocess, os.execv) runs the same way.

# wrap_libc VERSION: the version of the libc package in that ROOT.
wrap_libc() { sed -n 's/^libc6 //p' "$cache/ROOT-$1/.stamp"; }

# May the programs of that ROOT run on this machine's own libc? Only when it is no older.
wrap_is_direct() {
    local own
    case $1 in *t) return 0 ;; esac # it was built here
    own=$(getconf GNU_LIBC_VERSION)
    dpkg --compare-versions "${own#glibc }" ge "$(wrap_libc "$1" | sed 's/-.*//')"
}

# Fills ROOT/private-lib with links to libpython and to those libraries that this machine lacks,
# so that LD_LIBRARY_PATH gives programs started by Python nothing that they do not need.
wrap_private_lib() {
    local root=$cache/ROOT-$1 folder=$work/private-lib file name known
    known=$(PATH=$PATH:/sbin:/usr/sbin ldconfig -p | awk '{print $1}')
    mkdir "$folder"
    for file in "$root/usr/lib/$triplet"/*.so.*; do
        name=${file##*/}
        case $name in
        libpython*) ;;
        *) if grep -qxF "$name" <<<"$known"; then continue; fi ;;
        esac
        ln -s "../usr/lib/$triplet/$name" "$folder/$name"
    done
    rm -rf "$root/private-lib"
    mv "$folder" "$root/private-lib"
}

# wrap_write NAME VERSION PROGRAM [VARIABLE=VALUE]: writes $cache/bin/NAME, which runs PROGRAM.
wrap_write() {
    local name=$1 version=$2 program=$3 setting=${4:-}
    local root=$cache/ROOT-$version wrapper=$cache/bin/$1
    local variables=("PYTHONHOME=$root/usr" PYTHONNOUSERSITE=1) command
    [ -z "$setting" ] || variables+=("$setting")
    if wrap_is_direct "$version"; then
        variables+=("LD_LIBRARY_PATH=$root/private-lib")
        command=(exec -a "$wrapper" "$program")
    else
        command=(exec "$root/$(wrap_loader "$root")" --library-path "$root/usr/lib/$triplet"
            --argv0 "$wrapper" "$program")
    fi
    {
        printf '#!/bin/bash\nexport'
        printf ' %q' "${variables[@]}"
        printf '\n'
        printf '%q ' "${command[@]}"
        printf '"$@"\n'
    } >"$work/$name"
    chmod 755 "$work/$name"
    mv "$work/$name" "$wrapper"
}

# The loader's path in a ROOT: /lib64 on amd64, /lib on arm64.
wrap_loader() {
    local folder
    for folder in lib64 lib; do
        if [ -e "$1/$folder/$loader" ]; then
            printf '%s/%s' "$folder" "$loader"
            return 0
        fi
    done
    die "$1 holds no $loader"
}

# Compiles PROGRAM.c to ROOT/embed/PROGRAM. The library may need symbols of a newer libc than this
# machine's: they are there when the wrapper runs it.
wrap_compile() {
    local root=$cache/ROOT-$1 program=$2
    shift 2
    mkdir -p "$root/embed"
    "${CC:-gcc}" -O1 -Wall -o "$work/$program" "$embed/$program.c" "$@" || die "cannot compile $embed/$program.c"
    mv "$work/$program" "$root/embed/$program"
}

# wrap_check NAME VERSION: the interpreter runs, is what it should be, and uses its own library.
wrap_check() {
    local name=$1 version=$2 wrapper=$cache/bin/$1
    "$wrapper" - "$wrapper" "$version" "$cache/ROOT-$version/" >"$work/checked" <<'PYTHON' || die "$wrapper does not work"
import sys
import multiprocessing, asyncio
wrapper, version, root = sys.argv[1:]
if "t" in version:
    assert not sys._is_gil_enabled()
else:
    import ssl, ctypes, sqlite3
assert sys.executable == wrapper, sys.executable
assert "%d.%d" % sys.version_info[:2] == version.rstrip("t"), sys.version
for name, module in list(sys.modules.items()):
    path = getattr(module, "__file__", None)
    assert path in (None, "<stdin>") or path.startswith(root), (name, path)
assert all(path.startswith(root) for path in sys.path if path), sys.path
print(sys.version.split()[0])
PYTHON
    cat "$work/checked"
}

# Byte code for the standard library, so that a run by a user who cannot write here does the same
# as any other. Files that are templates or broken on purpose do not compile: ignored.
wrap_compile_library() {
    local root=$cache/ROOT-$1
    [ ! -e "$root/.compiled" ] || return 0
    "$cache/bin/python$1" -m compileall -q -j 2 "$root/usr/lib/python$1" >/dev/null 2>&1 || true
    : >"$root/.compiled"
}

# wrap_row NAME VERSION KIND NOTES: checks and lists one interpreter.
wrap_row() {
    local full
    full=$(wrap_check "$1" "$2")
    printf '%s\t%s\t%s\t%s\t%s\t%s\n' "$1" "$full" "$3" "$cache/bin/$1" "$4" "$cache/ROOT-$2" >>"$work/tsv"
}

write_interpreters() {
    local version suite root program library
    mkdir -p "$cache/bin"
    printf 'name\tversion\tkind\twrapper\tnotes\troot\n' >"$work/tsv"
    while read -r version suite <&4; do
        root=$cache/ROOT-$version
        program=$root/usr/bin/python$version
        library=$root/usr/lib/$triplet/libpython$version.so.1.0
        wrap_private_lib "$version"
        wrap_write "python$version" "$version" "$program"
        wrap_compile_library "$version"
        wrap_row "python$version" "$version" static "$program"

        wrap_compile "$version" embed "$library" -Wl,--unresolved-symbols=ignore-in-shared-libs
        wrap_write "shared$version" "$version" "$root/embed/embed"
        wrap_row "shared$version" "$version" shared "$library"

        wrap_compile "$version" dlopen_embed -ldl
        wrap_write "dlopen$version" "$version" "$root/embed/dlopen_embed" "PTPYTRACE_LIBPYTHON=$library"
        wrap_row "dlopen$version" "$version" dlopen "$library"
    done 4<<<"$releases"
    read -r version suite <<<"$free_threaded"
    program=$cache/ROOT-$version/usr/bin/python$version
    wrap_write "python$version" "$version" "$program"
    wrap_row "python$version" "$version" static "$program"
    mv "$work/tsv" "$cache/interpreters.tsv"
}
