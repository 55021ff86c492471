# Makes the scripts of the extension under the name vector from two files: objects (what which version of pgvector has)
# and the script of vectorext.  Prints one of them:
#   awk -v make=keys ...                        the names of all objects, as in the file objects
#   awk -v make=install -v version=V ...        CREATE EXTENSION vector, all of it
#   awk -v make=update -v pgvector=P ...        ALTER EXTENSION vector UPDATE in a database that has pgvector P
#   awk -v make=return -v pgvector=P ...        the way back: what pgvector P does not have goes
#   awk -v make=pgvector -v pgvector=P ...      only what pgvector P has: a catalog to test the others on
# with the files objects and vectorext--VERSION.sql after these.  A statement that is not understood is an error.

function fail(text) {
    print "sql/as_vector/script.awk: " text > "/dev/stderr"
    failed = 1
    exit 1
}

# "0.7.4" as a number that sorts as the version does
function rank(v,  part) {
    split(v, part, ".")
    return (part[1] * 1000 + part[2]) * 1000 + part[3]
}

# The word behind "WORD = " in a statement; types have spaces in their names, so up to a comma or parenthesis.
function value_of(s, word,  rest) {
    if (!match(s, word " = ")) return ""
    rest = substr(s, RSTART + RLENGTH)
    match(rest, /[,)]/)
    rest = substr(rest, 1, RSTART - 1)
    sub(/ +$/, "", rest)
    return rest
}

function up_to(s, mark) {
    return substr(s, 1, index(s, mark) + length(mark) - 1)
}

# What a statement creates: "FUNCTION l2_distance(vector, vector)", as DROP and COMMENT ON take it.
function key_of(s,  word) {
    sub(/^CREATE /, "", s)
    split(s, word, " ")
    if (s ~ /^(FUNCTION|AGGREGATE|CAST) /) {
        s = up_to(s, ")")
        gsub(/ DEFAULT [^,)]*/, "", s)
        return s
    }
    if (s ~ /^VIEW /) return "VIEW " word[2]
    if (s ~ /^OPERATOR (CLASS|FAMILY) /) {
        match(s, / USING [a-z_]+/)
        return "OPERATOR " word[2] " " word[3] substr(s, RSTART, RLENGTH)
    }
    if (s ~ /^OPERATOR [^A-Z]/) return "OPERATOR " word[2] " (" value_of(s, "LEFTARG") ", " value_of(s, "RIGHTARG") ")"
    if (s ~ /^ACCESS METHOD /) return "ACCESS METHOD " word[3]
    if (s ~ /^TYPE /) {
        sub(/;$/, "", word[2])
        return "TYPE " word[2]
    }
    fail("do not know what this is: CREATE " s)
}

# Does pgvector have it?
function pgvector_has(key) { return (key in since) && since[key] <= rank(pgvector) }

# Statements that give an object of pgvector the properties that ours has.
function adjust(text, s, key,  name, options) {
    if (key ~ /^(FUNCTION|AGGREGATE) /) {
        sub(/CREATE/, "CREATE OR REPLACE", text)
        print text "\n"
    } else if (key ~ /^OPERATOR [^CF]/ && (key in replaced) && replaced[key] > rank(pgvector)) {
        print "DROP " key ";\n\n" text "\n"
    } else if (key ~ /^OPERATOR [^CF]/ && value_of(s, "RESTRICT") != "") {
        print "ALTER " key " SET (RESTRICT = " value_of(s, "RESTRICT") ", JOIN = " value_of(s, "JOIN") ");\n"
    } else if (key ~ /^TYPE / && s !~ /;$/) {
        fail(key ": not closed")
    } else if (key ~ /^TYPE / && s ~ /\(/) {
        options = "STORAGE = " value_of(s, "STORAGE")
        if (value_of(s, "SUBSCRIPT") != "") options = options ", SUBSCRIPT = " value_of(s, "SUBSCRIPT")
        print "ALTER " key " SET (" options ");\n"
    }
}

# The statements of the way back, last first.
function undo(key, s) {
    if (pgvector_has(key)) {
        if (key ~ /^TYPE / && value_of(s, "SUBSCRIPT") != "") back = "ALTER " key " SET (SUBSCRIPT = NONE);\n" back
        return
    }
    # a class goes with its family
    if (key ~ /^OPERATOR CLASS/ && s ~ / FAMILY /) return
    sub(/^OPERATOR CLASS/, "OPERATOR FAMILY", key)
    back = "DROP " key ";\n" back
}

function statement(text,  s, key) {
    s = text
    gsub(/[ \t\n]+/, " ", s)
    if (s ~ /^(COMMENT ON|GRANT) /) {
        if (make == "install" || make == "update") print text "\n"
        return
    }
    if (s !~ /^CREATE /) fail("not a CREATE, COMMENT or GRANT: " s)
    key = key_of(s)
    seen[key] = 1
    if (make == "keys") {
        if (!(key in printed)) print key
        printed[key] = 1
    } else if (make == "install") {
        print text "\n"
    } else if (make == "pgvector") {
        sub(/,\n *SUBSCRIPT = [a-z_]+/, "", text)
        if (pgvector_has(key)) print text "\n"
    } else if (make == "update") {
        if (pgvector_has(key)) adjust(text, s, key); else print text "\n"
    } else if (make == "return") {
        undo(key, s)
    }
}

BEGIN {
    if (make == "install" || make == "pgvector") use = "CREATE EXTENSION vector"
    else use = "ALTER EXTENSION vector UPDATE"
    if (make != "keys") print "-- vectorext\n\\echo Use \"" use "\" to load this file. \\quit\n"
}

# ---- objects: "VERSION KIND NAME", "VERSION replaced KIND NAME", "versions V V ..." -------------------
FILENAME ~ /objects$/ {
    if ($0 ~ /^(#|$)/ || $1 == "versions") next
    key = $0
    sub(/^[^ ]+ /, "", key)
    if (key ~ /^replaced /) {
        sub(/^replaced /, "", key)
        replaced[key] = rank($1)
    } else {
        since[key] = rank($1)
    }
    next
}

# ---- vectorext--VERSION.sql ----------------------------------------------------------------------------------
open == "" && /^(\\echo .*|--.*|)$/ { next }
{
    open = open == "" ? $0 : open "\n" $0
    line = $0
    while (sub(/\$[a-z_]*\$/, "", line)) quoted = !quoted
    if (!quoted && $0 ~ /;$/) {
        statement(open)
        open = ""
    }
}

END {
    if (failed) exit 1
    if (open != "") fail("the last statement is not closed")
    if (make == "return") printf "%s", back
}
