/* template_parse.h: the compact form of a template: what template.c runs. */
#ifndef DROVER_HTML_TEMPLATE_PARSE_H
#define DROVER_HTML_TEMPLATE_PARSE_H

#include "base/buf.h"

enum op_kind { OP_TEXT, OP_VAR, OP_RAW, OP_SECTION, OP_INVERTED, OP_PARTIAL };

/* Offsets are into the names and texts of the program. */
struct op {
    enum op_kind kind;
    uint32_t at, n;  /* the text; of a name, "a\0b\0" for a.b, n octets without the last NUL */
    uint32_t indent; /* of a partial: n octets at this offset... */
    uint32_t nindent;
    uint32_t end; /* of a section: the op after its last */
};

struct program {
    struct op *op;
    size_t n, cap;
    char *store; /* texts and names */
    size_t nstore;
};

/* Parses source; name is for messages. indent (may be "") is put before each line, as a partial
 * that stands alone on its line wants it. *out is freed by program_free(). INVALID: a tag that does
 * not end, a section that is not closed or was not opened, an empty name, bad delimiters. */
enum outcome program_parse(const char *name, struct bytes source, const char *indent,
                           struct program *out, struct err *err) MUST_USE;
void program_free(struct program *p);

#endif
