# Prints the Debian archive entries of apt's source files, one a line, as
#   RANK <TAB> URI <TAB> SUITE <TAB> SIGNED-BY
# where the lines of SIGNED-BY (a path, or a key itself) are joined by \001. RANK 0 is an entry
# signed by Debian's archive keyring, 1 any other. Reads one-line (*.list) and deb822 (*.sources)
# files; see sources.list(5).

BEGIN {
    names = "bullseye bookworm trixie forky sid oldoldstable oldstable stable testing unstable"
    count = split(names, list, " ")
    for (i = 1; i <= count; i++) debian[list[i]] = 1
}

function has(words, wanted,    i, n, part) {
    n = split(words, part, /[ \t]+/)
    for (i = 1; i <= n; i++) if (part[i] == wanted) return 1
    return 0
}

function emit(uris, suites, components, signed,    i, n, part, uri) {
    if (!has(components, "main")) return
    split(uris, part, /[ \t]+/)
    uri = part[1]
    if (uri == "" || uri ~ /^cdrom:/) return
    n = split(suites, part, /[ \t]+/)
    for (i = 1; i <= n; i++)
        if (part[i] in debian) {
            printf "%d\t%s\t%s\t%s\n", (signed ~ /debian-archive/ ? 0 : 1), uri, part[i], signed
            return
        }
}

function flush_stanza() {
    if (has(field["types"], "deb") && tolower(field["enabled"]) !~ /^(no|false|off|0)$/)
        emit(field["uris"], field["suites"], field["components"], field["signed-by"])
    split("", field)
    key = ""
}

FNR == 1 { flush_stanza(); deb822 = (FILENAME ~ /\.sources$/) }
/^[ \t]*#/ { next }

deb822 && /^[ \t]*$/ { flush_stanza(); next }
deb822 && /^[ \t]/ {
    if (key == "signed-by") field[key] = field[key] "\001" $0
    else if (key != "") { sub(/^[ \t]+/, ""); field[key] = field[key] " " $0 }
    next
}
deb822 {
    colon = index($0, ":")
    if (colon == 0) next
    key = tolower(substr($0, 1, colon - 1))
    value = substr($0, colon + 1)
    gsub(/^[ \t]+|[ \t]+$/, "", value)
    field[key] = value
    next
}

$1 == "deb" {
    line = $0
    sub(/#.*/, "", line)
    sub(/^[ \t]*deb[ \t]+/, "", line)
    signed = ""
    if (match(line, /^\[[^]]*\][ \t]*/)) {
        options = substr(line, 2, index(line, "]") - 2)
        line = substr(line, RLENGTH + 1)
        n = split(options, option, /[ \t]+/)
        for (i = 1; i <= n; i++)
            if (tolower(option[i]) ~ /^signed-by=/) signed = substr(option[i], 11)
    }
    n = split(line, word, /[ \t]+/)
    components = ""
    for (i = 3; i <= n; i++) components = components " " word[i]
    emit(word[1], word[2], components, signed)
}

END { flush_stanza() }
