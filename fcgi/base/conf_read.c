/* conf_read.c: reading a file by the table of conf.c: values, lines, defaults, what concerns more
 * than one key. */
#include "base/conf_keys.h"

#include "base/arena.h"
#include "base/limits.h"
#include "base/log.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ini.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/un.h>

#define CONF_MEMORY (1u * LIM_MB)

struct reading {
    struct conf *c;
    struct arena *a;
    FILE *f;
    const char *path;
    int line;
    bool goes_on; /* the line begins with a space: the value above it has another part */
    bool failed;
    struct err *err;
};

/* The first fault stands; inih goes on to the end of the file whatever its caller says. */
#define fault(r, ...)                                                                              \
    do {                                                                                           \
        if (!(r)->failed) {                                                                        \
            (r)->failed = true;                                                                    \
            (void)err_set((r)->err, INVALID, __VA_ARGS__);                                         \
        }                                                                                          \
    } while (0)

/* --- values --- */

static bool word_in(const char *word, const char *words)
{
    size_t n = strlen(word);
    if (n == 0 || strchr(word, ' '))
        return false;
    for (const char *p = words; (p = strstr(p, word)); p += n)
        if ((p == words || p[-1] == ' ') && (p[n] == ' ' || p[n] == '\0'))
            return true;
    return false;
}

static bool parse_bool(const char *s, bool *out)
{
    if (strcmp(s, "yes") == 0 || strcmp(s, "true") == 0 || strcmp(s, "on") == 0)
        *out = true;
    else if (strcmp(s, "no") == 0 || strcmp(s, "false") == 0 || strcmp(s, "off") == 0)
        *out = false;
    else
        return false;
    return true;
}

/* Decimal digits and at most one letter of `suffix`, each worth its factor. */
static bool parse_number(const char *s, const char *suffix, const int64_t *factor, int64_t *out)
{
    if (*s < '0' || *s > '9')
        return false;
    char *end;
    errno = 0;
    long long v = strtoll(s, &end, 10);
    if (errno)
        return false;
    if (*end) {
        const char *at = strchr(suffix, *end);
        if (!at || end[1] || __builtin_mul_overflow(v, factor[at - suffix], &v))
            return false;
    }
    *out = v;
    return true;
}

static bool parse_int(const struct conf_key *k, const char *s, int64_t *out)
{
    static const int64_t bytes[] = {LIM_KB, LIM_MB, (int64_t)LIM_KB * LIM_MB};
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    bool good = k->type == SIZE   ? parse_number(s, "KMG", bytes, out)
                : k->type == TIME ? parse_number(s, "smhd", seconds, out)
                                  : parse_number(s, "", NULL, out);
    return good && *out >= k->min && *out <= k->max;
}

/* https://host[:port][/path], no slash at the end */
static bool is_url(const char *s)
{
    static const char scheme[] = "https://";
    size_t n = strlen(s);
    if (strncmp(s, scheme, sizeof scheme - 1) != 0 || s[n - 1] == '/' ||
        strchr("/:?#", s[sizeof scheme - 1]))
        return false;
    for (; *s; s++)
        if (*s <= ' ' || *s > '~' || strchr("\"'<>\\^`{|}", *s))
            return false;
    return true;
}

/* host:port, [address]:port */
static bool is_host_port(const char *s)
{
    int64_t port;
    const char *colon = strrchr(s, ':');
    if (!colon || colon == s || !parse_number(colon + 1, "", NULL, &port) || port < 1 ||
        port > 65535)
        return false;
    size_t n = (size_t)(colon - s);
    if (*s == '[')
        return n > 2 && s[n - 1] == ']' && strspn(s + 1, "0123456789abcdefABCDEF:.") == n - 2;
    return strspn(s, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-_") == n;
}

/* An address, or a network as address/bits. */
static bool is_net(const char *s)
{
    char address[INET6_ADDRSTRLEN + 1];
    unsigned char octets[16];
    const char *slash = strchr(s, '/');
    size_t n = slash ? (size_t)(slash - s) : strlen(s);
    if (n >= sizeof address)
        return false;
    memcpy(address, s, n);
    address[n] = '\0';
    int64_t bits = 0, most;
    if (inet_pton(AF_INET, address, octets) == 1)
        most = 32;
    else if (inet_pton(AF_INET6, address, octets) == 1)
        most = 128;
    else
        return false;
    return !slash || (parse_number(slash + 1, "", NULL, &bits) && bits <= most);
}

static bool is_printable(const char *s)
{
    for (; *s; s++)
        if ((unsigned char)*s < ' ' || *s == 0x7f)
            return false;
    return true;
}

/* Is s right for a key that holds one string? An empty one is for most; *want says what is. */
static bool check_text(const struct conf_key *k, const char *s, const char **want)
{
    struct sockaddr_un sun;
    enum log_level level;
    *want = "no control characters";
    if (!is_printable(s))
        return false;
    switch (k->type) {
    case PATH:
        *want = "an absolute path";
        return *s == '\0' || *s == '/';
    case SOCKET:
        *want = "an absolute path of at most 107 characters";
        return *s == '/' && strlen(s) < sizeof sun.sun_path;
    case URL:
        *want = "https://HOST, without a slash at the end";
        return *s == '\0' || is_url(s);
    case LOG:
        *want = "stderr, syslog or an absolute path";
        return *s == '/' || strcmp(s, "stderr") == 0 || strcmp(s, "syslog") == 0;
    case ENUM:
        *want = k->choices;
        return word_in(s, k->choices) &&
               (k->offset != offsetof(struct conf, log_level) || log_level_parse(s, &level));
    case MODE:
        *want = "four octal digits such as 0660";
        return strlen(s) == 4 && *s == '0' && strspn(s, "01234567") == 4;
    default:
        return true;
    }
}

static void set_list(struct reading *r, const struct conf_key *k, const char *s)
{
    static const char between[] = ", \t";
    struct conf_list *l = (struct conf_list *)((char *)r->c + k->offset);
    for (s += strspn(s, between); *s; s += strspn(s, between)) {
        size_t n = strcspn(s, between);
        char *item = arena_strndup(r->a, s, n);
        s += n;
        if (!item) {
            fault(r, "out of memory");
            return;
        }
        if (l->n == CONF_LIST_MAX) {
            fault(r, "[%s] %s: more than %d items", k->section, k->name, CONF_LIST_MAX);
            return;
        }
        if (!(k->type == HOSTS  ? is_host_port(item)
              : k->type == NETS ? is_net(item)
                                : is_printable(item))) {
            fault(r, "[%s] %s: \"%.60s\" is no %s", k->section, k->name, item,
                  k->type == HOSTS  ? "host:port"
                  : k->type == NETS ? "address or network"
                                    : "word without control characters");
            return;
        }
        l->item[l->n++] = item;
    }
}

static void set_int(struct reading *r, const struct conf_key *k, const char *s)
{
    int64_t *to = (int64_t *)((char *)r->c + k->offset);
    if (!parse_int(k, s, to))
        fault(r, "[%s] %s: \"%.60s\" is no number from %lld to %lld%s", k->section, k->name, s,
              (long long)k->min, (long long)k->max,
              k->type == SIZE   ? " (bytes, or with K, M or G)"
              : k->type == TIME ? " (seconds, or with s, m, h or d)"
                                : "");
}

static void set_value(struct reading *r, const struct conf_key *k, const char *s)
{
    void *to = (char *)r->c + k->offset;
    const char *want;
    switch (k->type) {
    case HOSTS:
    case NETS:
    case WORDS:
        set_list(r, k, s);
        return;
    case INT:
    case SIZE:
    case TIME:
        set_int(r, k, s);
        return;
    case BOOL:
        if (!parse_bool(s, to))
            fault(r, "[%s] %s: \"%.60s\" is neither yes nor no", k->section, k->name, s);
        return;
    default:
        if (!check_text(k, s, &want))
            fault(r, "[%s] %s: \"%.60s\" is wrong; wanted: %s", k->section, k->name, s, want);
        else if (!(*(const char **)to = arena_strdup(r->a, s)))
            fault(r, "out of memory");
    }
}

/* --- the file --- */

static bool known_section(const char *s, size_t n)
{
    for (size_t i = 0; i < conf_keys_n; i++)
        if (strlen(conf_keys[i].section) == n && memcmp(conf_keys[i].section, s, n) == 0)
            return true;
    return false;
}

/* inih's way to read a line. It tells its handler neither the line nor of an empty section. */
static char *on_line(char *text, int size, void *stream)
{
    struct reading *r = stream;
    if (r->failed || !fgets(text, size, r->f))
        return NULL;
    r->line++;
    r->goes_on = *text == ' ' || *text == '\t';
    size_t n = strlen(text);
    if (n + 1 == (size_t)size && text[n - 1] != '\n')
        fault(r, "line longer than %d characters; go on in the next one, after a space", size - 3);
    else if (n == 0 || (text[n - 1] != '\n' && !feof(r->f)))
        fault(r, "a NUL in the file");
    size_t name = *text == '[' ? strcspn(text + 1, "]") : 0;
    if (*text == '[' && text[1 + name] == ']' && !known_section(text + 1, name))
        fault(r, "there is no section [%.*s]", (int)(name < 40 ? name : 40), text + 1);
    return r->failed ? NULL : text;
}

static bool is_list(const struct conf_key *k)
{
    return k->type == HOSTS || k->type == NETS || k->type == WORDS;
}

static int on_key(void *user, const char *section, const char *name, const char *value)
{
    struct reading *r = user;
    for (size_t i = 0; i < conf_keys_n && !r->failed; i++) {
        const struct conf_key *k = &conf_keys[i];
        if (strcmp(k->section, section) != 0 || strcmp(k->name, name) != 0)
            continue;
        if (r->c->given_[i] && !(is_list(k) && r->goes_on))
            fault(r,
                  "[%s] %s: given twice (a line that begins with a space continues the value "
                  "above it)",
                  section, name);
        r->c->given_[i] = true;
        set_value(r, k, value);
        return !r->failed;
    }
    if (*section)
        fault(r, "[%.40s] has no key \"%.60s\"", section, name);
    else
        fault(r, "\"%.60s\" stands before any [section]", name);
    return 0;
}

/* The default of k, with the folders in it. */
static const char *default_of(struct reading *r, const struct conf_key *k)
{
    static const char run[] = "{run_dir}", state[] = "{state_dir}";
    if (strncmp(k->def, run, sizeof run - 1) == 0)
        return arena_fmt(r->a, "%s%s", r->c->run_dir, k->def + sizeof run - 1);
    if (strncmp(k->def, state, sizeof state - 1) == 0)
        return arena_fmt(r->a, "%s%s", r->c->state_dir, k->def + sizeof state - 1);
    return k->def;
}

/* run_dir and state_dir stand in the table before every default that names them. */
static void set_defaults(struct reading *r)
{
    for (size_t i = 0; i < conf_keys_n && !r->failed; i++) {
        if (r->c->given_[i])
            continue;
        const char *def = default_of(r, &conf_keys[i]);
        if (def)
            set_value(r, &conf_keys[i], def);
        else
            fault(r, "out of memory");
    }
}

/* What concerns more than one key. */
static void check_whole(struct reading *r)
{
    int64_t rights = r->c->enroll_access_rights;
    if (((rights & 2) && !(rights & 1)) || ((rights & 128) && !(rights & 64)))
        fault(r, "[enroll] access_rights: %lld; 2 needs 1 and 128 needs 64", (long long)rights);
    if (!*r->c->state_dir || !*r->c->run_dir)
        fault(r, "[server] state_dir and run_dir must not be empty");
    const char *crl = r->c->scep_crl_url;
    if (*crl && ((strncmp(crl, "http://", 7) != 0 && strncmp(crl, "https://", 8) != 0) ||
                 strpbrk(crl, " ,;\"<>\\^`{|}")))
        fault(r, "[scep] crl_url: \"%.60s\" is no http or https address", crl);
    if (!*r->c->proxy_header ||
        strspn(r->c->proxy_header, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                   "0123456789-") != strlen(r->c->proxy_header))
        fault(r, "[proxy] header: \"%.60s\" is no name of a header", r->c->proxy_header);
}

static enum outcome read_file(struct reading *r)
{
    int wrong = ini_parse_stream(on_line, r, on_key, r);
    if (wrong > 0 && (!r->failed || wrong < r->line))
        return err_set(r->err, INVALID, "%s:%d: neither [section], key = value nor a comment",
                       r->path, wrong);
    if (r->failed) {
        (void)err_prefix(r->err, "%s:%d", r->path, r->line);
        return INVALID;
    }
    if (wrong < 0)
        return err_set(r->err, ERROR, "%s: out of memory", r->path);
    if (ferror(r->f))
        return err_set(r->err, ERROR, "%s: %s", r->path, strerror(errno));
    set_defaults(r);
    if (!r->failed)
        check_whole(r);
    if (r->failed) {
        (void)err_prefix(r->err, "%s", r->path);
        return INVALID;
    }
    return OK;
}

enum outcome conf_load(const char *path, struct conf **out, struct err *err)
{
    struct reading r = {.path = path, .err = err};
    enum outcome o = ERROR;
    *out = NULL;
    r.f = fopen(path, "re");
    if (!r.f)
        return err_set(err, errno == ENOENT ? NOT_FOUND : ERROR, "%s: %s", path, strerror(errno));
    r.c = calloc(1, sizeof *r.c);
    r.a = arena_new(CONF_MEMORY);
    if (!r.c || !r.a || !(r.c->path = arena_strdup(r.a, path))) {
        (void)err_set(err, ERROR, "out of memory");
        goto out;
    }
    o = read_file(&r);
out:
    fclose(r.f);
    if (o == OK) {
        r.c->store_ = r.a;
        *out = r.c;
    } else {
        arena_free(&r.a);
        free(r.c);
    }
    return o;
}

void conf_free(struct conf **c)
{
    if (!*c)
        return;
    struct arena *a = (*c)->store_;
    arena_free(&a);
    free(*c);
    *c = NULL;
}

/* --- one key --- */

const struct conf_key *conf_key_find(const char *key)
{
    for (size_t i = 0; i < conf_keys_n; i++) {
        size_t n = strlen(conf_keys[i].section);
        if (strncmp(conf_keys[i].section, key, n) == 0 && key[n] == '.' &&
            strcmp(conf_keys[i].name, key + n + 1) == 0)
            return &conf_keys[i];
    }
    return NULL;
}

bool conf_key_given(const struct conf *c, const struct conf_key *k)
{
    return c->given_[k - conf_keys];
}

enum outcome conf_key_set(struct conf *c, struct arena *a, const struct conf_key *k,
                          const char *text, struct err *err)
{
    struct conf tried = *c;
    struct reading r = {.c = &tried, .a = a, .err = err};
    if (is_list(k))
        *(struct conf_list *)((char *)&tried + k->offset) = (struct conf_list){.n = 0};
    set_value(&r, k, text);
    if (!r.failed)
        conf_key_copy(c, &tried, k);
    return r.failed ? err->outcome : OK;
}

void conf_key_copy(struct conf *c, const struct conf *from, const struct conf_key *k)
{
    size_t n = sizeof(const char *);
    if (is_list(k))
        n = sizeof(struct conf_list);
    else if (k->type == BOOL)
        n = sizeof(bool);
    else if (k->type == INT || k->type == SIZE || k->type == TIME)
        n = sizeof(int64_t);
    memcpy((char *)c + k->offset, (const char *)from + k->offset, n);
}

void conf_key_text(const struct conf *c, const struct conf_key *k, struct buf *out)
{
    const void *at = (const char *)c + k->offset;
    const struct conf_list *l = at;
    switch (k->type) {
    case HOSTS:
    case NETS:
    case WORDS:
        for (size_t i = 0; i < l->n; i++)
            buf_fmt(out, "%s%s", i ? " " : "", l->item[i]);
        return;
    case INT:
    case SIZE:
    case TIME:
        buf_fmt(out, "%lld", (long long)*(const int64_t *)at);
        return;
    case BOOL:
        buf_str(out, *(const bool *)at ? "yes" : "no");
        return;
    default:
        buf_str(out, *(const char *const *)at);
    }
}
