# Prints the operator classes of attribute columns, the same for both access methods.  The table says, a line each:
#   FAMILY CLASS TYPE KIND [OTHERS or FUNCTION]
# KIND ordered compares, also with constants of the OTHER types (as btree's family of the name); hash knows equality, by
# the FUNCTION that PostgreSQL hashes the type with; sets knows what arrays have in common.  Strategies 1 to 5 are those
# of a btree, 6 is overlap, 7 is containment; function 6 is the hash.  src/index/attributes.h is the other side.
BEGIN {
    table = "bool_ops bool_ops boolean ordered\n" \
        "integer_ops int2_ops smallint ordered integer bigint\n" \
        "integer_ops int4_ops integer ordered smallint bigint\n" \
        "integer_ops int8_ops bigint ordered smallint integer\n" \
        "float_ops float4_ops real ordered double_precision\n" \
        "float_ops float8_ops double_precision ordered real\n" \
        "datetime_ops date_ops date ordered timestamp timestamptz\n" \
        "datetime_ops timestamp_ops timestamp ordered date timestamptz\n" \
        "datetime_ops timestamptz_ops timestamptz ordered date timestamp\n" \
        "numeric_ops numeric_ops numeric hash hash_numeric_extended\n" \
        "text_ops text_ops text hash hashtextextended\n" \
        "bpchar_ops bpchar_ops character hash hashbpcharextended\n" \
        "uuid_ops uuid_ops uuid hash uuid_hash_extended\n" \
        "enum_ops enum_ops anyenum hash hashenumextended\n" \
        "array_ops array_ops anyarray sets\n"
    split("< <= = >= >", compare, " ")
    split("hnsw ivfflat", methods, " ")
    lines = split(table, line, "\n") - 1
    for (m = 1; m <= 2; m++) {
        print "\n-- Attributes of " methods[m] ": further columns that a filter is tested on inside the index.\n"
        for (i = 1; i <= lines; i++) {
            n = split(line[i], word, " ")
            if (word[1] != family) {
                family = word[1]
                print "CREATE OPERATOR FAMILY " family " USING " methods[m] ";\n"
            }
            print_class(methods[m], n)
        }
    }
}

function typed(name) {
    sub(/_/, " ", name)
    return name
}

function operator(strategy, symbol, left, right) {
    members = members (members == "" ? "" : ",\n") "\tOPERATOR " strategy " " symbol " (" left ", " right ")"
}

function print_class(method, n,  type, s, w) {
    type = typed(word[3])
    members = ""
    if (word[4] == "hash") {
        operator(3, "=", type, type)
        members = members ",\n\tFUNCTION 6 " word[5] "(" type ", bigint)"
    } else if (word[4] == "sets") {
        operator(6, "&&", type, type)
        operator(7, "@>", type, type)
    } else {
        for (w = 4; w <= n; w++)
            for (s = 1; s <= 5; s++) operator(s, compare[s], type, w == 4 ? type : typed(word[w]))
    }
    print "CREATE OPERATOR CLASS " word[2] "\n\tDEFAULT FOR TYPE " type " USING " method " FAMILY " family " AS\n" members ";"
    print "COMMENT ON OPERATOR CLASS " word[2] " USING " method " IS 'filters on " \
        (type == "anyarray" ? "arrays" : type == "anyenum" ? "enums" : type) "';\n"
}
